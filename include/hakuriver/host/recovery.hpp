// A host starts from what the store remembers, and learns the rest from the nodes as they register.
//
// The same path is taken after a failed commit: the state in memory is thrown away and made again.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "hakuriver/host/registration.hpp"

namespace hakuriver {
inline namespace v1 {

enum class StoreTrust : std::uint8_t {
  complete = 0,  // it holds everything that was ever acknowledged
  restored = 1,  // an older copy, by the operator's word: no unfinished task is placed again by itself
};

namespace detail {

// What nodes did since an older copy was made is not held against a host that was told of it: such a host remembers
// no session of theirs.
inline void recover_nodes(HostState& state, const StoredState& stored, Now now, StoreTrust trust) {
  for (const auto& record : stored.nodes) {
    NodeState& node = node_named(state, record.name);
    node.runner_id = record.runner_id;
    node.facts = record.facts;
    node.drained = record.drained;
    node.sessions.push_back(trust == StoreTrust::complete ? record.session : Session{});
    node.run = record.run;
    node.confirmed = trust == StoreTrust::complete ? record.confirmed : 0;
    node.presence = Presence::expected;
    node.deadline = now.monotonic + state.policy.silence;
  }
}

inline void recover_batch(HostState& state, StoredBatch&& stored) {
  Batch& batch = state.batches.insert({.id = stored.id});
  batch.count = stored.count;
  batch.content_digest = stored.content_digest;
  batch.submitted_at = stored.submitted_at;
  batch.failed_targets = std::move(stored.failed_targets);
  batch.by_status[static_cast<std::size_t>(TaskStatus::pending)] = static_cast<std::uint32_t>(stored.count);
  batch.max_running = stored.max_running;
  Requirements wanted = std::move(stored.requirements);
  if (batch.max_running > 0) wanted.batch = batch.id;
  if (stored.targets.empty() || stored.shares_targets) {
    wanted.targets = std::move(stored.targets);
    std::sort(wanted.targets.begin(), wanted.targets.end());
    batch.shapes.push_back(take_shape(state, wanted));
  } else {
    for (auto& target : stored.targets) {
      wanted.targets = {std::move(target)};
      batch.shapes.push_back(take_shape(state, wanted));
    }
  }
  batch.submission_id = std::move(stored.submission_id);
}

// In the order of their hashes, which is the cheapest.
inline void recover_submissions(HostState& state) {
  std::vector<SubmissionEntry::Key> keys;
  keys.reserve(state.batches.size());
  for (const Batch& batch : state.batches) {
    if (!batch.submission_id.empty()) keys.push_back(submission_key(batch.submission_id, batch.id));
  }
  std::sort(keys.begin(), keys.end());
  for (const auto& key : keys) state.submissions.insert({key});
}

inline void recover_ends(HostState& state, const StoredState& stored) {
  for (const auto& end : stored.ends) {
    Batch* batch = find_batch(state, end.first);
    if (batch == nullptr) continue;
    for (std::uint64_t i = 0; i < end.count; ++i) set_status(*batch, advance(end.first, i), end.status);
  }
}

inline std::uint32_t session_index(NodeState& node, const Session& session) {
  for (std::size_t i = node.sessions.size(); i-- > 0;) {
    if (node.sessions[i] == session) return static_cast<std::uint32_t>(i);
  }
  // An older session: it stands before the present one, which stays the last.
  node.sessions.insert(std::prev(node.sessions.end()), session);
  return static_cast<std::uint32_t>(node.sessions.size() - 2);
}

inline void recover_order(HostState& state, const OrderRecord& order) {
  const auto found = state.node_index.find(order.node);
  for (std::uint64_t i = 0; i < order.count; ++i) {
    const TaskId id = advance(order.first, i);
    Batch* batch = find_batch(state, id);
    if (batch == nullptr || is_final(status_of(*batch, id))) continue;
    LiveTask& task = state.live[id];
    task = make_live(batch->id, order.attempt, kNoNode, shape_of(*batch, id));
    const auto mark = state.marks.find(id);
    if (mark != state.marks.end()) task.faults = mark->second.faults;
    if (found == state.node_index.end()) continue;
    task.node = found->second;
    task.session = session_index(state.nodes[found->second], order.session);
  }
}

inline void recover_return(HostState& state, const ReturnRecord& record) {
  for (std::uint64_t i = 0; i < record.count; ++i) {
    const TaskId id = advance(record.first, i);
    state.live.erase(id);
    state.marks[id] = {record.attempt, record.faults, record.reason};
  }
}

// Session indices may have moved while older sessions were put in front; they are looked up again at the end.
inline void recover_assignments(HostState& state, const StoredState& stored) {
  for (const auto& assignment : stored.assignments) {
    if (const auto* order = std::get_if<OrderRecord>(&assignment)) {
      if (state.node_index.count(order->node) != 0) {
        session_index(state.nodes[state.node_index.at(order->node)], order->session);
      }
    }
  }
  for (const auto& assignment : stored.assignments) {
    if (const auto* order = std::get_if<OrderRecord>(&assignment)) {
      recover_order(state, *order);
    } else {
      recover_return(state, std::get<ReturnRecord>(assignment));
    }
  }
}

// What was ordered counts as being assigned until its node says more.
inline void settle_live(HostState& state, StoreTrust trust) {
  for (auto& [id, task] : state.live) {
    const bool known = task.node != kNoNode && trust == StoreTrust::complete;
    task.status = known ? TaskStatus::assigning : TaskStatus::lost;
    if (!known) task.node = kNoNode;
    hold_place(state, task);
    set_status(state.batches.at(task.batch), id, task.status);
  }
}

inline void enqueue_rest(HostState& state, Batch& batch, StoreTrust trust) {
  const std::uint64_t known = batch.count == 1 ? 1 : batch.statuses.size();
  TaskRange run{task_of(batch.id, 0), 0};
  ShapeIndex shape = batch.shapes[0];
  const auto flush = [&](TaskId next) {
    enqueue(state, shape, run);
    run = {next, 0};
  };
  for (std::uint64_t i = 0; i < known; ++i) {
    const TaskId id = task_of(batch.id, i);
    if (status_of(batch, id) != TaskStatus::pending) {
      flush(advance(id, 1));
      continue;
    }
    if (trust == StoreTrust::restored) {
      const auto mark = state.marks.find(id);
      const Attempt attempt = mark == state.marks.end() ? Attempt{1} : mark->second.attempt;
      state.live[id] = make_live(batch.id, attempt, kNoNode, shape_of(batch, id));
      state.live[id].status = TaskStatus::lost;
      set_status(batch, id, TaskStatus::lost);
      flush(advance(id, 1));
      continue;
    }
    if (batch.shapes.size() > 1 && run.count > 0) flush(id);
    shape = shape_of(batch, id);
    ++run.count;
  }
  flush(task_of(batch.id, known));
  if (batch.shapes.size() == 1) {
    shape = batch.shapes[0];
    run.count = batch.count - known;
    flush(task_of(batch.id, batch.count));
    return;
  }
  for (std::uint64_t i = known; i < batch.count; ++i) enqueue(state, batch.shapes[i], {task_of(batch.id, i), 1});
}

}  // namespace detail

// What a host that trusts a restored store writes down, so that its next start does the same: orders of what is
// unfinished to nobody knows which node, and nodes without a session.
inline std::vector<StoreRecord> records_of_restored(const HostState& state) {
  std::map<TaskId, const LiveTask*> unknown;
  for (const auto& [id, task] : state.live) {
    if (task.node == kNoNode) unknown.emplace(id, &task);
  }
  std::vector<StoreRecord> records;
  for (const auto& node : state.nodes) {
    records.emplace_back(NodeRecord{node.name, node.runner_id, {}, node.run, 0, node.drained, node.facts});
  }
  for (const auto& [id, task] : unknown) {
    auto* last = records.empty() ? nullptr : std::get_if<OrderRecord>(&records.back());
    if (last != nullptr && last->batch == task->batch && last->attempt == task->attempt &&
        advance(last->first, last->count) == id) {
      ++last->count;
    } else {
      records.emplace_back(OrderRecord{task->batch, id, 1, task->attempt, "", {}, {}});
    }
  }
  return records;
}

inline HostState recover(StoredState stored, const HostPolicy& policy, Now now,
                         StoreTrust trust = StoreTrust::complete) {
  HostState state;
  state.policy = policy;
  state.cluster_id = stored.cluster_id;
  state.epoch = stored.epoch;
  state.last_id = stored.last_id;
  // Challenges, and so runs, of this start differ from those of the starts around it, and from those before a reload.
  // They fit into 63 bits, for they are stored.
  state.last_challenge = ((stored.epoch.value & 0x3ff) << 52) + static_cast<std::uint64_t>(now.monotonic.microseconds);
  state.last_tick = now.monotonic;
  detail::recover_nodes(state, stored, now, trust);
  for (auto& batch : stored.batches) detail::recover_batch(state, std::move(batch));
  detail::recover_submissions(state);
  detail::recover_ends(state, stored);
  detail::recover_assignments(state, stored);
  if (trust == StoreTrust::restored) {
    for (Batch& batch : state.batches) {
      if (batch.count > 1 && unfinished(batch) > 0) batch.statuses.resize(batch.count, TaskStatus::pending);
    }
  }
  detail::settle_live(state, trust);
  for (const auto& kill : stored.kills) {
    const auto live = state.live.find(kill.task);
    if (live != state.live.end()) live->second.kill_requested = true;
  }
  for (Batch& batch : state.batches) {
    if (unfinished(batch) > 0) {
      detail::enqueue_rest(state, batch, trust);
    } else {
      drop_shapes(state, batch);
      batch.finished_at = batch.submitted_at;
      state.finished.emplace_back(batch.finished_at, batch.id);
    }
  }
  return state;
}

}  // namespace v1
}  // namespace hakuriver
