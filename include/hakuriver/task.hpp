// A task: one command with one id. A batch: the tasks of one submission, which share a TaskSpec.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hakuriver/argv.hpp"
#include "hakuriver/ids.hpp"
#include "hakuriver/resources.hpp"
#include "hakuriver/target.hpp"
#include "hakuriver/task_sweep.hpp"

namespace hakuriver {
inline namespace v1 {

enum class TaskStatus : std::uint8_t {
  pending = 0,    // waits for a place; nothing has started
  assigning = 1,  // ordered to a node; its start is not yet confirmed
  running = 2,
  paused = 3,
  completed = 4,  // exited with 0; final, as are the next three
  failed = 5,
  killed = 6,  // ended by request, the whole process tree is gone
  killed_oom = 7,
  lost = 8,  // its node is silent; not final
};
inline constexpr std::size_t kTaskStatusCount = 9;

inline constexpr std::array<std::string_view, kTaskStatusCount> kTaskStatusNames{
    "pending", "assigning", "running", "paused", "completed", "failed", "killed", "killed_oom", "lost"};

constexpr std::string_view to_string(TaskStatus status) noexcept {
  return kTaskStatusNames[static_cast<std::size_t>(status)];
}

constexpr std::optional<TaskStatus> parse_task_status(std::string_view text) noexcept {
  for (std::size_t i = 0; i < kTaskStatusCount; ++i) {
    if (kTaskStatusNames[i] == text) return static_cast<TaskStatus>(i);
  }
  return std::nullopt;
}

// A final status never changes.
constexpr bool is_final(TaskStatus status) noexcept {
  return status == TaskStatus::completed || status == TaskStatus::failed || status == TaskStatus::killed ||
         status == TaskStatus::killed_oom;
}

// What the tasks of a batch have in common, as submitted. Text is UTF-8 or any bytes without NUL.
struct TaskSpec {
  Argv argv{};                                                     // at least one word; none where there is a sweep
  std::vector<std::pair<std::string, std::string>> environment{};  // the submitter's own variables, in order
  Resources resources{};
  std::string name{};               // shown and filtered by; may be empty
  std::string working_directory{};  // empty: the shared directory
  std::string container{};          // empty: the node itself
  std::vector<std::string> mounts{};
  bool privileged = false;
  bool private_network = false;
  bool private_pid = false;
  std::optional<TaskSweep> sweep{};  // its task k runs combination(k) of it
  std::uint64_t max_running = 0;     // how many of the batch's tasks run at once, at most; 0: as many as fit
  // Of each attempt, from its start, pauses included: then its process tree is ended. 0: none; at most kMaxTimeLimit.
  std::chrono::milliseconds time_limit{0};
  std::string user{};          // whom it runs as; empty: as the node has it
  std::uint32_t niceness = 0;  // added to the node's own, at most kMaxNiceness
  bool operator==(const TaskSpec&) const = default;
};

// Bounds on what a submission may hold (execve(2): one string at most 128 KiB with its NUL).
inline constexpr std::size_t kMaxArgumentBytes = 131'071;
inline constexpr std::size_t kMaxArgvAndEnvironmentBytes = std::size_t{1} << 20;
inline constexpr std::uint64_t kMaxBatchTasks = 100'000'000;
inline constexpr std::size_t kMaxTargets = 10'000;
inline constexpr std::size_t kMaxNameBytes = 255;
inline constexpr std::chrono::milliseconds kMaxTimeLimit = std::chrono::hours{24} * 3650;
inline constexpr std::uint32_t kMaxNiceness = 19;
inline constexpr std::size_t kMaxUserBytes = 64;

// What may be the name of a user: what useradd(8) takes, and what directories of whole organisations hold besides
// ("alice", "EXAMPLE\alice", "alice@example.org"), but nothing that has a meaning in a path, a table or an option.
constexpr bool is_user_name(std::string_view text) noexcept {
  if (text.empty() || text.size() > kMaxUserBytes || text.front() == '-') return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte > ' ' && byte != 0x7F && std::string_view(":/,*\"'").find(c) == std::string_view::npos;
  });
}

// What is the task's own where its batch is a sweep.
struct TaskCommand {
  Argv argv;
  std::string name;  // "lr=0.1,batch=32", behind the batch's name if it has one
  std::vector<std::pair<std::string, std::string>> variables{};  // besides the spec's environment, and stronger
};

// Of the index-th task of a batch that is a sweep; index < spec.sweep->size().
inline TaskCommand command_of(const TaskSpec& spec, std::uint64_t index) {
  const TaskSweep& sweep = *spec.sweep;
  const std::uint64_t combination = sweep.combination(index);
  const auto parameters = sweep.commands().parameters_at(combination);
  TaskCommand command{sweep.commands().at(combination), name_of(parameters), {}};
  if (!spec.name.empty()) command.name = command.name.empty() ? spec.name : spec.name + '[' + command.name + ']';
  command.variables = sweep_variables(combination, sweep.commands().size(), parameters);
  return command;
}

// The spec that the index-th task would have if it had been submitted alone.
inline std::shared_ptr<const TaskSpec> spec_of_task(const std::shared_ptr<const TaskSpec>& spec, std::uint64_t index) {
  if (!spec->sweep) return spec;
  TaskCommand command = command_of(*spec, index);
  auto own = std::make_shared<TaskSpec>();
  own->argv = std::move(command.argv);
  own->environment = spec->environment;
  for (auto& variable : command.variables) {
    std::erase_if(own->environment, [&](const auto& earlier) { return earlier.first == variable.first; });
    own->environment.push_back(std::move(variable));
  }
  own->resources = spec->resources;
  own->name = std::move(command.name);
  own->working_directory = spec->working_directory;
  own->container = spec->container;
  own->mounts = spec->mounts;
  own->privileged = spec->privileged;
  own->private_network = spec->private_network;
  own->private_pid = spec->private_pid;
  own->time_limit = spec->time_limit;
  own->user = spec->user;
  own->niceness = spec->niceness;
  return own;
}

// What a node must offer for a task: everything that placement looks at. Tasks with the same requirements wait in
// one queue.
struct Requirements {
  std::vector<Target> targets;  // none: any node; several: any one of them. Sorted, each of another node
  Resources resources;
  bool container = false;
  bool private_network = false;
  bool private_pid = false;
  BatchId batch;        // that has a limit of its own; zero: any batch without one
  std::string user;     // whom it must be able to run as; empty: anybody
  bool limits = false;  // a time limit or a niceness
  auto operator<=>(const Requirements&) const = default;
};

// The one of the targets that is this node, or part of it; null where there is none.
inline const Target* target_on(const Requirements& wanted, std::string_view node) noexcept {
  const auto before = [](const Target& target, std::string_view name) { return target.node < name; };
  const auto found = std::lower_bound(wanted.targets.begin(), wanted.targets.end(), node, before);
  return found != wanted.targets.end() && found->node == node ? &*found : nullptr;
}

inline bool may_be_on(const Requirements& wanted, std::string_view node) noexcept {
  return wanted.targets.empty() || target_on(wanted, node) != nullptr;
}

// Which of that node's NUMA nodes the task is bound to; none: it may use all of them.
inline std::optional<std::uint32_t> numa_node_on(const Requirements& wanted, std::string_view node) noexcept {
  const Target* const target = target_on(wanted, node);
  return target == nullptr ? std::nullopt : target->numa_node;
}

// Several targets are for any task of a sweep, whichever has room. Of other batches each has one task.
inline bool shares_targets(const TaskSpec& spec) noexcept { return spec.sweep.has_value(); }

// Mounts and privileges mean something in a container only: who asks for them asks for a node that has containers.
inline Requirements requirements_of(const TaskSpec& spec, std::vector<Target> targets = {}) {
  Requirements wanted;
  wanted.targets = std::move(targets);
  std::sort(wanted.targets.begin(), wanted.targets.end());
  wanted.resources = spec.resources;
  wanted.container = !spec.container.empty() || spec.privileged || !spec.mounts.empty();
  // A container has a process table of its own, and a network where it is asked for.
  const bool on_node = spec.container.empty();
  wanted.private_network = spec.private_network && on_node;
  wanted.private_pid = spec.private_pid && on_node;
  wanted.user = spec.user;
  wanted.limits = spec.time_limit.count() != 0 || spec.niceness != 0;
  return wanted;
}

}  // namespace v1
}  // namespace hakuriver
