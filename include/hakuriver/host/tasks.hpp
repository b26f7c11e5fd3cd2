// What happens to one task: its status moves by the table, its place is held and released, its end is written.
#pragma once

#include <algorithm>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "hakuriver/host/capacity.hpp"
#include "hakuriver/host/queue.hpp"
#include "hakuriver/task_state.hpp"

namespace hakuriver {
inline namespace v1 {

inline Batch* find_batch(HostState& state, TaskId task) {
  const auto after = state.batches.upper_bound(BatchId{task.value});
  if (after == state.batches.begin()) return nullptr;
  Batch& batch = *std::prev(after);
  return task.value > batch.id.value && task.value - batch.id.value <= batch.count ? &batch : nullptr;
}

inline const Batch* find_batch(const HostState& state, TaskId task) {
  return find_batch(const_cast<HostState&>(state), task);
}

inline SubmissionEntry::Key submission_key(std::string_view submission_id, BatchId batch) noexcept {
  return {std::hash<std::string_view>{}(submission_id), batch};
}

// The batch that was submitted with this id; null where there is none.
inline const Batch* find_submission(const HostState& state, std::string_view submission_id) {
  const auto first = submission_key(submission_id, BatchId{});
  for (auto at = state.submissions.lower_bound(first); at != state.submissions.end() && at->key.hash == first.hash;
       ++at) {
    const auto batch = state.batches.find(at->key.batch);
    if (batch != state.batches.end() && batch->submission_id == submission_id) return &*batch;
  }
  return nullptr;
}

inline std::uint64_t index_of(const Batch& batch, TaskId task) noexcept { return task.value - batch.id.value - 1; }

inline TaskStatus status_of(const Batch& batch, TaskId task) noexcept {
  if (batch.count == 1) {
    const auto counted = std::find(batch.by_status.begin(), batch.by_status.end(), 1U);
    return static_cast<TaskStatus>(counted - batch.by_status.begin());
  }
  const std::uint64_t index = index_of(batch, task);
  return index < batch.statuses.size() ? batch.statuses[index] : TaskStatus::pending;
}

// Of a batch that is not finished.
inline ShapeIndex shape_of(const Batch& batch, TaskId task) noexcept {
  return batch.shapes.size() == 1 ? batch.shapes[0] : batch.shapes[index_of(batch, task)];
}

inline std::uint64_t unfinished(const Batch& batch) noexcept {
  std::uint64_t final_ones = 0;
  for (std::size_t i = 0; i < kTaskStatusCount; ++i) {
    if (is_final(static_cast<TaskStatus>(i))) final_ones += batch.by_status[i];
  }
  return batch.count - final_ones;
}

// How many of its tasks run, or may run for all that is known. Those that were only ordered ahead do not count: of a
// batch with a limit there are none.
inline std::uint64_t running_of(const Batch& batch) noexcept {
  std::uint64_t running = 0;
  for (const TaskStatus status : {TaskStatus::assigning, TaskStatus::running, TaskStatus::paused, TaskStatus::lost}) {
    running += batch.by_status[static_cast<std::size_t>(status)];
  }
  return running;
}

inline constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

// How many more of it may run.
inline std::uint64_t room_in(const Batch& batch) noexcept {
  if (batch.max_running == 0) return kNoLimit;
  const std::uint64_t running = running_of(batch);
  return running < batch.max_running ? batch.max_running - running : 0;
}

inline void set_status(Batch& batch, TaskId task, TaskStatus to) {
  if (batch.count == 1) {
    batch.by_status = {};
    batch.by_status[static_cast<std::size_t>(to)] = 1;
    return;
  }
  const std::uint64_t index = index_of(batch, task);
  if (index >= batch.statuses.size()) batch.statuses.resize(index + 1, TaskStatus::pending);
  --batch.by_status[static_cast<std::size_t>(batch.statuses[index])];
  ++batch.by_status[static_cast<std::size_t>(to)];
  batch.statuses[index] = to;
}

inline void tell_changed(HostTurn& turn, BatchId batch, TaskRange range, TaskStatus status) {
  if (!turn.out.actions.empty()) {
    auto* last = std::get_if<host_action::TasksChanged>(&turn.out.actions.back());
    if (last != nullptr && last->batch == batch && last->status == status &&
        advance(last->first, last->count) == range.first) {
      last->count += range.count;
      return;
    }
  }
  turn.out.actions.push_back(host_action::TasksChanged{batch, range.first, range.count, status});
}

// Moves a task by the table. False where the event changes nothing.
inline bool change_status(HostTurn& turn, Batch& batch, TaskId task, TaskEvent event) {
  const TaskStatus from = status_of(batch, task);
  const TaskCell cell = next_status(from, event);
  if (cell.verdict == Verdict::reject) {
    turn.out.actions.push_back(host_action::Note{
        "task " + to_string(task) + " is " + std::string(to_string(from)) + "; the event '" +
        std::string(kTaskEventNames[static_cast<std::size_t>(event)]) + "' cannot happen to it, ignoring"});
  }
  if (cell.verdict != Verdict::move || cell.to == from) return false;
  set_status(batch, task, cell.to);
  const auto live = turn.state.live.find(task);
  if (live != turn.state.live.end()) live->second.status = cell.to;
  tell_changed(turn, batch.id, {task, 1}, cell.to);
  if (unfinished(batch) == 0) {
    drop_shapes(turn.state, batch);
    batch.finished_at = turn.now.utc;
    turn.state.finished.emplace_back(turn.now.utc, batch.id);
  }
  return true;
}

// Pending, without a place yet.
inline LiveTask make_live(BatchId batch, Attempt attempt, NodeIndex node, ShapeIndex shape) {
  LiveTask task;
  task.batch = batch;
  task.attempt = attempt;
  task.node = node;
  task.shape = shape;
  return task;
}

inline void hold_place(HostState& state, LiveTask& task) {
  if (task.reserved || task.node == kNoNode) return;
  const Requirements& wanted = state.shapes[task.shape];
  NodeState& node = state.nodes[task.node];
  add_use(node.use, wanted.resources);
  if (const auto numa = numa_node_on(wanted, node.name)) add_use(node.numa_use[*numa], wanted.resources);
  task.reserved = true;
}

// Frees the task's place, or takes it off those that were ordered ahead.
inline void release_place(HostState& state, LiveTask& task) {
  if (task.node == kNoNode) return;
  NodeState& node = state.nodes[task.node];
  if (!task.reserved) {
    --node.ahead_count;
    return;
  }
  const Requirements& wanted = state.shapes[task.shape];
  drop_use(node.use, wanted.resources);
  if (const auto numa = numa_node_on(wanted, node.name)) drop_use(node.numa_use[*numa], wanted.resources);
  task.reserved = false;
}

// A task that was ordered ahead has a place from now on.
inline void take_place(HostState& state, LiveTask& task) {
  if (task.reserved || task.node == kNoNode) return;
  --state.nodes[task.node].ahead_count;
  hold_place(state, task);
}

inline void add_order(HostTurn& turn, NodeIndex index, Order order) {
  NodeState& node = turn.state.nodes[index];
  if (!node.outbox.empty()) {
    Order& last = node.outbox.back();
    if (last.sequence > node.sent && last.kind == order.kind && last.batch == order.batch &&
        last.attempt == order.attempt && last.numa_node == order.numa_node &&
        advance(last.first, last.count) == order.first) {
      last.count += order.count;
      return;
    }
  }
  order.sequence = node.next_sequence++;
  node.outbox.push_back(order);
}

// Orders something about one live task to the node that holds it, if that node listens now. What is not ordered for
// lack of a listener is ordered when the node registers. A node that has lost the journal in which the attempt was
// started is not asked: it would say, wrongly, that nothing of it runs.
inline void order_about(HostTurn& turn, OrderKind kind, TaskId id, const LiveTask& task) {
  if (task.node == kNoNode) return;
  const NodeState& node = turn.state.nodes[task.node];
  if (!node.registered || node.sessions[task.session] != node.sessions.back()) return;
  add_order(turn, task.node, {0, kind, task.batch, id, 1, task.attempt, std::nullopt});
}

// Writes the end of a live task and forgets what is not needed any more. `end` lacks batch, first and status.
inline void finish(HostTurn& turn, TaskId id, TaskEvent event, EndRecord end) {
  const auto found = turn.state.live.find(id);
  LiveTask& task = found->second;
  Batch& batch = turn.state.batches.at(task.batch);
  if (task.node != kNoNode) {
    end.node = turn.state.nodes[task.node].name;
    end.numa_node = numa_node_on(turn.state.shapes[task.shape], end.node);
  }
  end.batch = task.batch;
  end.first = id;
  end.attempt = task.attempt;
  release_place(turn.state, task);
  turn.state.live.erase(found);
  turn.state.marks.erase(id);
  change_status(turn, batch, id, event);
  end.status = status_of(batch, id);
  turn.out.records.emplace_back(std::move(end));
}

// Ends tasks that wait and that no node holds, alike and at once.
inline void kill_waiting(HostTurn& turn, Batch& batch, TaskRange range, const std::string& message) {
  EndRecord end;
  end.batch = batch.id;
  end.first = range.first;
  end.count = range.count;
  end.status = TaskStatus::killed;
  end.attempt = Attempt{1};
  end.outcome = {OutcomeKind::never_started, 0};
  end.ended_at = turn.now.utc;
  end.message = message;
  for (std::uint64_t i = 0; i < range.count; ++i) {
    const TaskId task = advance(range.first, i);
    turn.state.marks.erase(task);
    change_status(turn, batch, task, TaskEvent::kill_waiting);
  }
  turn.out.records.emplace_back(std::move(end));
}

inline void record_return(HostTurn& turn, ReturnRecord record) {
  if (!turn.out.records.empty()) {
    auto* last = std::get_if<ReturnRecord>(&turn.out.records.back());
    if (last != nullptr && last->batch == record.batch && last->attempt == record.attempt &&
        last->faults == record.faults && last->reason == record.reason &&
        advance(last->first, last->count) == record.first) {
      last->count += record.count;
      return;
    }
  }
  turn.out.records.emplace_back(std::move(record));
}

// It is proved that the live task's attempt never started: it waits again, or ends if that was asked for.
inline void give_back(HostTurn& turn, TaskId id, Attempt next, std::uint32_t faults, const std::string& reason) {
  const auto found = turn.state.live.find(id);
  LiveTask task = found->second;
  Batch& batch = turn.state.batches.at(task.batch);
  release_place(turn.state, found->second);
  turn.state.live.erase(found);
  change_status(turn, batch, id, TaskEvent::returned);
  if (task.kill_requested || task.ends_if_returned) {
    kill_waiting(turn, batch, {id, 1}, "killed before it started");
    return;
  }
  if (next == Attempt{1} && faults == 0) {
    turn.state.marks.erase(id);
  } else {
    turn.state.marks[id] = {next, faults, reason};
  }
  enqueue(turn.state, task.shape, {id, 1});
  record_return(turn, {task.batch, id, 1, next, faults, reason});
}

// The node is silent, or holds another journal on the same boot: nobody knows how the task fares.
inline void lose(HostTurn& turn, TaskId id) {
  LiveTask& task = turn.state.live.at(id);
  take_place(turn.state, task);
  change_status(turn, turn.state.batches.at(task.batch), id, TaskEvent::node_silent);
}

}  // namespace v1
}  // namespace hakuriver
