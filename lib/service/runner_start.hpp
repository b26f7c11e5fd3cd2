// From what the host orders to what the keeper starts: the command line and the world that a task finds itself in.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hakuriver/ids.hpp"
#include "hakuriver/keeper.hpp"
#include "hakuriver/node.hpp"
#include "hakuriver/result.hpp"
#include "hakuriver/task.hpp"

namespace hakuriver::service {

using Variables = std::vector<std::pair<std::string, std::string>>;

// A user of this node, for tasks that run as one who is not the runner itself.
struct TaskIdentity {
  std::string name;
  TaskUser ids;
  std::string home;
  std::string shell;
  bool operator==(const TaskIdentity&) const = default;
};

// None: that is the runner's own user. An error, one line, is why tasks do not run as that user here: for good
// (not_found, denied), or for now. Runs on the thread that also tells the host of this node, so it may not take long.
using FindIdentity = std::function<Result<std::optional<TaskIdentity>>(const std::string& user)>;

// Turns what a task is into what the keeper is asked to run: the same command inside a unit, a container and so on. The
// request is whole but for that.
using WrapStart = std::function<StartRequest(const StartRequest& request, const TaskSpec& spec)>;

// What all tasks of a runner share. All paths are absolute.
struct TaskWorld {
  std::string node;
  std::string host_url;
  std::string shared_dir;
  std::string local_temp_dir;
  Variables environment;  // PATH, HOME, USER and so on
  std::vector<NumaNode> numa_nodes;
  bool binds_numa = false;                       // else a NUMA node is only counted, as on a synthetic machine
  std::string numactl;                           // the program that binds; empty: the keeper does
  CgroupParent cgroup{};                         // where attempts have theirs; empty: they have none
  WrapStart wrap{};                              // of tasks on the node itself; none: the keeper executes the command
  WrapStart contain{};                           // of tasks in containers; none: there are none here
  std::string user;                              // whom tasks run as that do not say; empty: the runner's own user
  FindIdentity find_identity{};                  // where there are users to choose from
  std::chrono::milliseconds kill_grace{10'000};  // from TERM to KILL at a time limit
};

// Where an attempt's output goes: "<shared_dir>/task_outputs/<id>.out", later attempts "<id>.<attempt>.out".
std::string stdout_path_of(const std::string& shared_dir, AttemptKey key);
std::string stderr_path_of(const std::string& shared_dir, AttemptKey key);

// Creates the two directories of output where they are missing, mode 0755.
Status create_output_directories(const std::string& shared_dir);

// The variables that only we set: --env cannot change them.
bool is_own_variable(std::string_view name) noexcept;

// Builds requests. Those of one batch differ in little, so the last one is kept and changed.
class StartBuilder {
 public:
  explicit StartBuilder(TaskWorld world) : world_(std::move(world)) {}

  // Good until the next call. An error is the node's fault; what no other try would change is in the request's refusal.
  Result<const StartRequest*> build(AttemptKey key, BatchId batch, std::optional<std::uint32_t> numa_node,
                                    const std::shared_ptr<const TaskSpec>& spec);

 private:
  Result<std::optional<TaskIdentity>> identify(std::string& refusal) const;
  void build_common(BatchId batch, std::optional<std::uint32_t> numa_node);
  std::vector<std::string> build_environment(BatchId batch, std::optional<std::uint32_t> numa_node) const;
  void build_own(std::uint64_t index);
  void bind(std::uint32_t numa_node);
  const StartRequest* wrap();

  const TaskWorld world_;
  std::shared_ptr<const TaskSpec> spec_;
  BatchId batch_;
  std::optional<TaskIdentity> identity_;  // whom they run as; none: the runner's own user
  std::string refusal_;                   // why they run as nobody; else empty
  StartRequest request_;
  StartRequest wrapped_;              // of request_, where the world wraps
  std::size_t common_variables_ = 0;  // of request_.environment: those that all tasks of the batch have
};

}  // namespace hakuriver::service
