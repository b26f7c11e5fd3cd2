// A runner: the agent on one node. It connects to a host, starts what the host orders, and tells what becomes of it.
//
//   auto runner = Runner::open({.host_url = "http://10.0.0.1:8000", .token = token}, log);
//   (*runner)->serve();                             // until somebody calls stop
//
// Its tasks do not need it: they go on when it stops, and the next runner of that name on this machine takes them over.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hakuriver/caller.hpp"
#include "hakuriver/log.hpp"
#include "hakuriver/result.hpp"

namespace hakuriver {
inline namespace v1 {

// What becomes of the tasks when a runner stops. A later one outranks an earlier one.
enum class RunnerStop : std::uint8_t {
  leave_tasks = 0,  // tells the host all that it knows, says goodbye; what runs goes on
  end_tasks = 1,    // ends them first, and tells how they ended
  at_once = 2,      // tells nobody; what runs goes on
};

struct RunnerOptions {
  std::string name{};                              // of the node; empty: the machine's host name
  std::string host_url = "http://127.0.0.1:8000";  // of the host
  std::string token{};                             // hexadecimal; empty: none
  CallerFactory connect{};                         // instead of HTTP, for a host in the same process
  // Where a runner keeps what is its own; what is below it is created where it is missing. Empty: $HAKURIVER_HOME, or
  // ~/.hakuriver.
  std::string home{};
  std::string state_dir{};          // on a local disk; empty: <home>/state
  std::string shared_dir{};         // empty: <home>/shared
  std::string local_temp_dir{};     // empty: <home>/tmp
  std::string package_dir{};        // where environments are packaged; empty: only those that are on the node are known
  std::uint32_t keep_versions = 2;  // of an environment on the node, when another one is loaded; 0: all
  // systemd: a transient unit for each attempt. cgroup: a cgroup for each. Both are refused where they cannot be made.
  // plain: nothing is limited but NUMA binding. auto: the first of these that works and limits something, else plain.
  // none starts nothing, for benchmarks.
  std::string launcher = "plain";
  std::string keeper_program{};          // empty: beside this program, or where it was installed
  std::optional<std::string> numactl{};  // a path or a name; empty text: never; none: from PATH, if it works
  // "NAME", "value": for every task, such as where a client in a task finds its configuration. No secrets.
  std::vector<std::pair<std::string, std::string>> task_variables{};
  // Whom tasks run as. Empty: the user that this process runs as; a root runner of another machine's host needs it
  // ("root" is a value). Only root can name another.
  std::string runner_user{};
  // Whom tasks may ask to run as besides, where this process is root; "*": anybody but root. None: with this machine's
  // host and no other runner_user anybody, else nobody.
  std::vector<std::string> allowed_users{};
  bool allow_privileged = true;                            // tasks in containers may ask for all rights of root
  std::optional<std::vector<std::string>> allow_mounts{};  // below which they may mount; none: any directory
  std::vector<std::string> additional_mounts{};  // "/DIR:/DIR/IN/CONTAINER[:ro]", allowed whatever allow_mounts says
  std::optional<std::uint64_t> millicores{};     // offered instead of what is found
  std::optional<std::uint64_t> memory_bytes{};   // offered instead of what is found
  std::optional<std::uint32_t> max_tasks{};      // at once; none: 16 for each core
  std::string synthetic_topology{};              // an hwloc description instead of this machine's
  std::string listen_address = "127.0.0.1";      // where reads are answered
  std::optional<std::uint16_t> listen_port{};    // none: nowhere; 0: the system chooses
  std::string announced_url{};                   // shown to people; empty: made from where it listens
  std::chrono::milliseconds kill_grace{10'000};  // between TERM and KILL
};

class Runner {
 public:
  // Finds and checks all that is needed and takes the node's lock; the host need not be there yet. The message names
  // the option that is wrong. Errc::conflict where another runner of this name runs on this machine.
  static Result<std::unique_ptr<Runner>> open(RunnerOptions options, std::shared_ptr<LogSink> log);
  // Not while it serves.
  ~Runner();
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  // Connects, for as long as it takes, and works until it is stopped. Once.
  Status serve();
  // From any thread and from a signal handler.
  void stop(RunnerStop how) noexcept;

  const std::string& name() const noexcept;
  // The port where reads are answered; 0: none.
  std::uint16_t port() const noexcept;

 private:
  struct Impl;
  explicit Runner(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace v1
}  // namespace hakuriver
