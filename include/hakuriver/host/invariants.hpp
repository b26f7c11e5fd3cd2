// What must hold between the parts of the host's state after every step.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "hakuriver/host/tasks.hpp"

namespace hakuriver {
inline namespace v1 {

namespace detail {

inline std::array<std::uint32_t, kTaskStatusCount> only(TaskStatus status) {
  std::array<std::uint32_t, kTaskStatusCount> counted{};
  counted.at(static_cast<std::size_t>(status)) = 1;
  return counted;
}

inline void check_batches(const HostState& state, std::vector<std::string>& broken) {
  for (const Batch& batch : state.batches) {
    std::array<std::uint32_t, kTaskStatusCount> counted{};
    for (const TaskStatus status : batch.statuses) ++counted[static_cast<std::size_t>(status)];
    counted[0] += static_cast<std::uint32_t>(batch.count - batch.statuses.size());
    if (batch.count == 1) counted = only(status_of(batch, task_of(batch.id, 0)));
    if (batch.max_running > 0 && running_of(batch) - counted[8] > batch.max_running) {
      broken.push_back("batch " + to_string(batch.id) + " runs more at once than it may");
    }
    if (counted != batch.by_status) broken.push_back("batch " + to_string(batch.id) + " miscounts its tasks' statuses");
    const std::size_t shapes = batch.shapes.size();
    if (unfinished(batch) == 0 ? shapes != 0 : shapes != 1 && shapes != batch.count) {
      broken.push_back("batch " + to_string(batch.id) +
                       " is unfinished without one shape or one per task, or over with any");
    }
  }
}

inline void check_shapes(const HostState& state, std::vector<std::string>& broken) {
  std::vector<std::uint64_t> users(state.shapes.size());
  for (const Batch& batch : state.batches) {
    for (const ShapeIndex shape : batch.shapes) ++users[shape];
  }
  if (users != state.shape_users) broken.push_back("what batches use of shapes is miscounted");
  if (state.shape_index.size() + state.free_shapes.size() != state.shapes.size()) {
    broken.push_back("a shape is neither in use nor free, or both");
  }
  for (const ShapeIndex shape : state.free_shapes) {
    if (state.shape_users[shape] != 0 || !state.pending[shape].empty()) broken.push_back("a free shape is in use");
  }
}

inline void check_live(const HostState& state, std::vector<std::string>& broken) {
  for (const auto& [id, task] : state.live) {
    const Batch* batch = find_batch(state, id);
    const std::string name = "task " + to_string(id);
    if (batch == nullptr || batch->id != task.batch) {
      broken.push_back(name + " is live but its batch is not known");
      continue;
    }
    if (status_of(*batch, id) != task.status) broken.push_back(name + " has two statuses");
    if (is_final(task.status)) broken.push_back(name + " is final and still live");
    if (is_waiting(state, task.shape, id)) broken.push_back(name + " is ordered and waits as well");
    const bool ahead = task.status == TaskStatus::pending;
    if (task.node != kNoNode && ahead == task.reserved)
      broken.push_back(name + " holds a place exactly if it should not");
  }
}

inline void check_waiting(const HostState& state, std::vector<std::string>& broken) {
  std::map<BatchId, std::uint64_t> waiting;
  for (ShapeIndex shape = 0; shape < state.pending.size(); ++shape) {
    const auto& ranges = state.pending[shape];
    if (!ranges.empty()) {
      const auto head = state.heads.find(ranges.begin()->first);
      if (head == state.heads.end() || head->second != shape) broken.push_back("a queue's head is not noted");
    }
    for (const auto& [first, count] : ranges) {
      for (std::uint64_t i = 0; i < count; ++i) {
        const Batch* batch = find_batch(state, advance(first, i));
        if (batch == nullptr || status_of(*batch, advance(first, i)) != TaskStatus::pending) {
          broken.push_back("task " + to_string(advance(first, i)) + " waits but is not pending");
          break;
        }
        ++waiting[batch->id];
      }
    }
  }
  std::map<BatchId, std::uint64_t> ahead;
  for (const auto& [id, task] : state.live) {
    if (task.status == TaskStatus::pending) ++ahead[task.batch];
  }
  for (const Batch& batch : state.batches) {
    const std::uint64_t known = waiting[batch.id] + ahead[batch.id];
    if (known != batch.by_status[0])
      broken.push_back("batch " + to_string(batch.id) + " has pending tasks that wait nowhere");
  }
}

inline void check_nodes(const HostState& state, std::vector<std::string>& broken) {
  std::vector<NodeUse> use(state.nodes.size());
  std::vector<std::uint32_t> ahead(state.nodes.size());
  for (const auto& [id, task] : state.live) {
    if (task.node == kNoNode) continue;
    if (task.reserved) {
      add_use(use[task.node], state.shapes[task.shape].resources);
    } else {
      ++ahead[task.node];
    }
  }
  for (std::size_t i = 0; i < state.nodes.size(); ++i) {
    const NodeState& node = state.nodes[i];
    if (!(use[i] == node.use)) broken.push_back("node " + node.name + " miscounts what is reserved on it");
    if (ahead[i] != node.ahead_count) broken.push_back("node " + node.name + " miscounts what was ordered ahead");
  }
}

}  // namespace detail

// Empty if the state is sound; each entry is a sentence. For tests: it walks everything.
inline std::vector<std::string> broken_invariants(const HostState& state) {
  std::vector<std::string> broken;
  detail::check_batches(state, broken);
  detail::check_shapes(state, broken);
  detail::check_live(state, broken);
  detail::check_waiting(state, broken);
  detail::check_nodes(state, broken);
  return broken;
}

}  // namespace v1
}  // namespace hakuriver
