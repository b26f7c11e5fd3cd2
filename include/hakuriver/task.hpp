// A task: one command with one id. A batch: the tasks of one submission, which share a TaskSpec.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hakuriver/argv.hpp"
#include "hakuriver/resources.hpp"
#include "hakuriver/target.hpp"

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
  Argv argv{};                                                     // at least one word
  std::vector<std::pair<std::string, std::string>> environment{};  // the submitter's own variables, in order
  Resources resources{};
  std::string name{};               // shown and filtered by; may be empty
  std::string working_directory{};  // empty: the shared directory
  std::string container{};          // empty: the node itself
  std::vector<std::string> mounts{};
  bool privileged = false;
  bool private_network = false;
  bool private_pid = false;
  bool operator==(const TaskSpec&) const = default;
};

// Bounds on what a submission may hold (execve(2): one string at most 128 KiB with its NUL).
inline constexpr std::size_t kMaxArgumentBytes = 131'071;
inline constexpr std::size_t kMaxArgvAndEnvironmentBytes = std::size_t{1} << 20;
inline constexpr std::uint64_t kMaxBatchTasks = 100'000'000;
inline constexpr std::size_t kMaxTargets = 10'000;
inline constexpr std::size_t kMaxNameBytes = 255;

// What a node must offer for a task: everything that placement looks at. Tasks with the same requirements wait in
// one queue.
struct Requirements {
  std::optional<Target> target;  // none: any node
  Resources resources;
  bool container = false;
  bool private_network = false;
  bool private_pid = false;
  auto operator<=>(const Requirements&) const = default;
};

// Mounts and privileges mean something in a container only: who asks for them asks for a node that has containers.
inline Requirements requirements_of(const TaskSpec& spec, std::optional<Target> target) {
  const bool container = !spec.container.empty() || spec.privileged || !spec.mounts.empty();
  return {std::move(target), spec.resources, container, spec.private_network, spec.private_pid};
}

}  // namespace v1
}  // namespace hakuriver
