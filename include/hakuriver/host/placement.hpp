// Which waiting task goes where: the oldest first; one that fits nowhere claims a node, so that it is not starved.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "hakuriver/host/tasks.hpp"

namespace hakuriver {
inline namespace v1 {

inline bool takes_orders(const HostState& state, const NodeState& node, MonotonicTime now) noexcept {
  return !state.superseded && node.registered && node.presence == Presence::online && !node.drained &&
         node.held_until <= now;
}

// How many tasks may be ordered to the node beyond its free places, so that no place waits for a round trip. None where
// attempts run that only the host still counts: the agent would start what is ahead beside them.
inline std::uint32_t ahead_limit(const HostPolicy& policy, const NodeState& node) noexcept {
  if (node.holds_unlisted) return 0;
  const double window = std::chrono::duration<double>(policy.ahead_window).count();
  return std::min(policy.ahead_limit, static_cast<std::uint32_t>(std::min(node.ends_per_second * window, 1e9)));
}

namespace detail {

struct PlacementPass {
  HostTurn& turn;
  std::vector<bool> claimed;  // by an older task that fits nowhere yet
};

// Orders tasks of one queue to a node. `ahead`: they wait there and hold no place yet.
inline void order_start(HostTurn& turn, NodeIndex index, ShapeIndex shape, TaskRange range, bool ahead) {
  HostState& state = turn.state;
  NodeState& node = state.nodes[index];
  const auto numa = numa_node_on(state.shapes[shape], node.name);
  const Session& session = node.sessions.back();
  const auto session_index = static_cast<std::uint32_t>(node.sessions.size() - 1);
  for (std::uint64_t i = 0; i < range.count; ++i) {
    const TaskId id = advance(range.first, i);
    Batch& batch = *find_batch(state, id);
    const auto mark = state.marks.find(id);
    const Attempt attempt = mark == state.marks.end() ? Attempt{1} : mark->second.attempt;
    LiveTask& task = state.live[id];
    task = make_live(batch.id, attempt, index, shape);
    task.session = session_index;
    if (mark != state.marks.end()) task.faults = mark->second.faults;
    if (ahead) {
      node.ahead.push_back(id);
      ++node.ahead_count;
    } else {
      hold_place(state, task);
      change_status(turn, batch, id, TaskEvent::ordered);
    }
    add_order(turn, index, {0, OrderKind::start, batch.id, id, 1, attempt, numa});
    OrderRecord* last = turn.out.records.empty() ? nullptr : std::get_if<OrderRecord>(&turn.out.records.back());
    if (last != nullptr && last->batch == batch.id && last->attempt == attempt && last->node == node.name &&
        last->run == node.run && advance(last->first, last->count) == id) {
      ++last->count;
    } else {
      turn.out.records.emplace_back(OrderRecord{batch.id, id, 1, attempt, node.name, session, node.run});
    }
  }
}

struct Choice {
  NodeIndex node = kNoNode;
  std::uint64_t room = 0;
  std::uint32_t candidates = 0;
};

// The node with the most free cores that has a free place for such a task (then with the fewest tasks).
inline Choice choose_node(const PlacementPass& pass, const Requirements& wanted) {
  const HostState& state = pass.turn.state;
  Choice best;
  std::uint64_t best_free = 0;
  for (NodeIndex i = 0; i < state.nodes.size(); ++i) {
    const NodeState& node = state.nodes[i];
    if (pass.claimed[i] || node.ahead_count > 0 || !takes_orders(state, node, pass.turn.now.monotonic)) continue;
    if (!may_be_on(wanted, node.name) || !why_never(node, wanted).empty()) continue;
    const std::uint64_t room =
        room_for(node.facts, node.use, node.numa_use, wanted.resources, numa_node_on(wanted, node.name));
    if (room == 0) continue;
    ++best.candidates;
    const std::uint64_t free = node.facts.millicores - std::min(node.facts.millicores, node.use.reserved.millicores);
    const bool better = best.node == kNoNode || free > best_free ||
                        (free == best_free && node.use.tasks < state.nodes[best.node].use.tasks);
    if (!better) continue;
    best.node = i;
    best.room = room;
    best_free = free;
  }
  return best;
}

// Sends tasks ahead to nodes that are full but finish tasks fast. True if the queue is empty afterwards.
inline bool order_ahead(PlacementPass& pass, ShapeIndex shape) {
  HostState& state = pass.turn.state;
  for (NodeIndex i = 0; i < state.nodes.size(); ++i) {
    const NodeState& node = state.nodes[i];
    const Requirements& wanted = state.shapes[shape];
    if (pass.claimed[i] || !takes_orders(state, node, pass.turn.now.monotonic)) continue;
    const std::uint32_t limit = ahead_limit(state.policy, node);
    if (node.ahead_count >= limit || !may_be_on(wanted, node.name) || !why_never(node, wanted).empty()) continue;
    std::uint64_t room = limit - node.ahead_count;
    while (room > 0 && !state.pending[shape].empty()) {
      const TaskRange range = dequeue(state, shape, room);
      order_start(pass.turn, i, shape, range, true);
      room -= range.count;
    }
    if (state.pending[shape].empty()) return true;
  }
  return false;
}

// The oldest task of this queue fits nowhere: nothing younger starts on one node that could hold it.
inline void claim_node(PlacementPass& pass, ShapeIndex shape) {
  const HostState& state = pass.turn.state;
  const Requirements& wanted = state.shapes[shape];
  std::optional<NodeIndex> best;
  for (NodeIndex i = 0; i < state.nodes.size(); ++i) {
    const NodeState& node = state.nodes[i];
    if (pass.claimed[i] || !takes_orders(state, node, pass.turn.now.monotonic)) continue;
    if (!may_be_on(wanted, node.name) || !why_never(node, wanted).empty()) continue;
    if (!best || node.use.reserved.millicores < state.nodes[*best].use.reserved.millicores) best = i;
  }
  if (best) pass.claimed[*best] = true;
}

// A batch that limits itself has a queue of its own, or several, so that nobody waits behind it.
inline void place_shape(PlacementPass& pass, ShapeIndex shape) {
  HostState& state = pass.turn.state;
  const BatchId limited = state.shapes[shape].batch;
  while (!state.pending[shape].empty()) {
    const std::uint64_t allowed = limited.value == 0 ? kNoLimit : room_in(state.batches.at(limited));
    if (allowed == 0) return;
    const Choice choice = choose_node(pass, state.shapes[shape]);
    if (choice.node == kNoNode) break;
    const std::uint64_t share = choice.candidates > 1 ? std::max<std::uint64_t>(1, choice.room / 4) : choice.room;
    const std::uint64_t oldest = state.pending[shape].begin()->count;
    order_start(pass.turn, choice.node, shape, dequeue(state, shape, std::min({share, oldest, allowed})), false);
  }
  if (state.pending[shape].empty() || (limited.value == 0 && order_ahead(pass, shape))) return;
  claim_node(pass, shape);
}

}  // namespace detail

// Places what can be placed now. Queues are looked at by the age of their oldest task.
inline void place_waiting(HostTurn& turn) {
  if (turn.state.heads.empty()) return;
  detail::PlacementPass pass{turn, std::vector<bool>(turn.state.nodes.size(), false)};
  std::vector<ShapeIndex> order;
  order.reserve(turn.state.heads.size());
  for (const auto& [head, shape] : turn.state.heads) order.push_back(shape);
  for (const ShapeIndex shape : order) detail::place_shape(pass, shape);
}

// Hands what was ordered to the nodes that wait for it.
inline void answer_polls(HostTurn& turn) {
  constexpr std::size_t kMostOrders = 8192;
  for (auto& node : turn.state.nodes) {
    if (node.poll.value == 0 || !node.registered || node.outbox.empty()) continue;
    OrderBundle bundle{turn.state.epoch, node.run, {}, {}};
    const auto count = std::min(node.outbox.size(), kMostOrders);
    bundle.orders.assign(node.outbox.begin(), node.outbox.begin() + static_cast<std::ptrdiff_t>(count));
    node.sent = std::max(node.sent, bundle.orders.back().sequence);
    turn.out.actions.push_back(host_action::AnswerPoll{node.poll, std::move(bundle)});
    node.poll = {};
  }
}

}  // namespace v1
}  // namespace hakuriver
