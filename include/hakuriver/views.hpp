// Tasks, batches and nodes as people see them: what the host's routes answer and the client shows.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hakuriver/ids.hpp"
#include "hakuriver/node.hpp"
#include "hakuriver/outcome.hpp"
#include "hakuriver/task.hpp"
#include "hakuriver/task_store.hpp"
#include "hakuriver/time.hpp"

namespace hakuriver {
inline namespace v1 {

struct TaskView {
  TaskId id;
  BatchId batch;
  TaskStatus status = TaskStatus::pending;
  std::shared_ptr<const TaskSpec> spec;  // never null
  std::optional<Target> target;          // as submitted
  std::string node;                      // empty: none yet
  Attempt attempt{1};
  std::optional<int> exit_code;  // of a task that exited; -n where signal n ended it; 124: its time limit
  std::string message;           // why it waits, failed, or is lost; may be empty
  bool kill_requested = false;
  UtcTime submitted_at;
  UtcTime started_at;  // zero: not yet, as below
  UtcTime ended_at;
  std::optional<Outcome> outcome;  // of a final task
  Usage usage;
  std::string stdout_path;  // as seen by whoever shares the shared directory
  std::string stderr_path;
  std::uint64_t stdout_bytes = 0;  // of a final task
  std::uint64_t stderr_bytes = 0;
  std::string launcher;               // of its node; empty: no node yet
  std::vector<std::string> enforced;  // of "cores", "memory", "numa": what the node really enforces
};

// The NUMA node that the task is bound to where it is; none: it may use all of them.
inline std::optional<std::uint32_t> bound_numa_node(const TaskView& task) {
  const bool binds = std::find(task.enforced.begin(), task.enforced.end(), "numa") != task.enforced.end();
  return binds && !task.node.empty() && task.target ? task.target->numa_node : std::nullopt;
}

struct BatchView {
  BatchId id;
  std::uint64_t count = 0;
  std::string name;
  std::array<std::uint64_t, kTaskStatusCount> by_status{};
  UtcTime submitted_at;
  UtcTime finished_at;  // zero: not yet
  bool is_done() const noexcept { return by_status[4] + by_status[5] + by_status[6] + by_status[7] == count; }
};

struct TaskPage {
  std::vector<TaskView> tasks;  // newest first
  std::optional<TaskId> next;   // ask again with `before` this; none: that was all
};

struct NodeView {
  std::string name;
  std::string status;  // "online" or "offline"
  bool drained = false;
  NodeFacts facts;
  std::uint64_t millicores_in_use = 0;
  std::uint64_t memory_in_use_bytes = 0;
  std::uint32_t tasks = 0;  // that hold a place there
  UtcTime last_heartbeat;
  std::optional<NodeHealth> health;
  std::string note;  // such as "holds back after a fault"; may be empty
};

// The whole cluster at one moment.
struct ClusterHealth {
  std::uint32_t nodes = 0;
  std::uint32_t online_nodes = 0;
  std::uint64_t millicores = 0;
  std::uint64_t memory_total_bytes = 0;
  std::uint64_t memory_used_bytes = 0;
  double cpu_percent = 0;     // of the nodes that are online, weighted by cores
  double memory_percent = 0;  // used of total
  std::optional<double> average_temperature;
  std::optional<double> max_temperature;
  UtcTime taken_at;
};

struct HealthSample {
  std::vector<NodeView> nodes;
  ClusterHealth cluster;
};

}  // namespace v1
}  // namespace hakuriver
