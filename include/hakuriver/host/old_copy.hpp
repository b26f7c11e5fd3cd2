// A host whose database is an older copy of itself places tasks that have run. Nodes can prove that it is one: what
// they hold was ordered, or confirmed, by a host that had committed it before. Once it is proved nothing is ordered and
// no node is judged, until the operator says what to do.
#pragma once

#include <string>

#include "hakuriver/host/tasks.hpp"

namespace hakuriver {
inline namespace v1 {

namespace detail {

// A host commits an order before it sends it, and the ends before it confirms them. So the node's list tells of orders
// that this host has forgotten if it holds a later attempt than the last one ordered, or one that went elsewhere.
inline bool never_ordered(const HostState& state, NodeIndex index, AttemptKey key) {
  const Batch* batch = find_batch(state, key.task);
  if (batch == nullptr || is_final(status_of(*batch, key.task))) return false;
  const auto live = state.live.find(key.task);
  if (live == state.live.end()) {
    const auto mark = state.marks.find(key.task);
    return key.attempt >= (mark == state.marks.end() ? Attempt{1} : mark->second.attempt);
  }
  const LiveTask& task = live->second;
  if (task.node == kNoNode) return false;
  return task.attempt < key.attempt || (task.attempt == key.attempt && task.node != index);
}

// Empty unless the registration proves it.
inline std::string why_old_copy(const HostState& state, NodeIndex index, const Registration& message) {
  const NodeState& node = state.nodes[index];
  const bool same_session = !node.sessions.empty() && node.sessions.back() == message.session;
  if (same_session && node.confirmed < message.confirmed) {
    return "was told that its " + std::to_string(message.confirmed) + " records are committed, and " +
           std::to_string(node.confirmed) + " are";
  }
  for (const auto& kept : message.attempts) {
    if (never_ordered(state, index, kept.key)) {
      return "holds attempt " + std::to_string(kept.key.attempt.value) + " of task " + to_string(kept.key.task) +
             ", of which no order is known";
    }
  }
  return {};
}

// Said once.
inline void stop_ordering(HostTurn& turn, const std::string& node, const std::string& why) {
  if (turn.state.superseded) return;
  turn.state.superseded = true;
  turn.out.actions.push_back(host_action::Note{"node '" + node + "' " + why +
                                               ": this database is an old copy. Nothing is ordered until the host is "
                                               "started with the latest one, or with --accept-restore"});
}

// What people ask would be lost with the copy, or would be told what is not true.
inline Error nothing_from_old_copy() {
  return {Errc::unavailable, "the host's database is an old copy: nothing changes until its operator has decided"};
}

inline NodeRefusal old_copy() {
  return {Refusal::old_copy, "the host's database is an old copy: nothing is ordered until its operator has decided"};
}

}  // namespace detail

}  // namespace v1
}  // namespace hakuriver
