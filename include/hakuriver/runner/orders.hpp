// What the host orders: taken in order, each order once, only in the run and the epoch it was made for.
#pragma once

#include <string>
#include <utility>

#include "hakuriver/runner/queue.hpp"

namespace hakuriver {
inline namespace v1 {

namespace detail {

inline void signal_attempt(RunnerTurn& turn, AttemptKey key, TaskSignal signal) {
  const auto grace = signal == TaskSignal::terminate ? turn.state.policy.grace : std::chrono::milliseconds{0};
  turn.out.push_back(runner_effect::SignalAttempt{key, signal, grace});
}

// Every kill is answered: by the end of what runs, else at once, unless that end is already on its way.
inline void apply_kill(RunnerTurn& turn, AttemptKey key) {
  RunnerState& state = turn.state;
  const auto known = state.attempts.find(key);
  if (known == state.attempts.end()) {
    const bool waited = !take_queued(state, key.task, 1, key.attempt).empty();
    tell_returned(state, key, 0, waited ? "killed before it started" : "the node does not know this attempt");
  } else if (known->second.status != LocalStatus::ended) {
    signal_attempt(turn, key, TaskSignal::terminate);
  }
}

inline void apply_pause(RunnerTurn& turn, AttemptKey key, bool pause) {
  if (mark_queued(turn.state, key.task, key.attempt, pause)) return;
  const auto known = turn.state.attempts.find(key);
  if (known == turn.state.attempts.end() || known->second.status == LocalStatus::ended) return;
  signal_attempt(turn, key, pause ? TaskSignal::pause : TaskSignal::resume);
}

inline void apply_withdraw(RunnerState& state, const Order& order) {
  for (const auto& part : take_queued(state, order.first, order.count, order.attempt)) {
    for (std::uint64_t i = 0; i < part.count; ++i) {
      tell_returned(state, {TaskId{part.first.value + i}, part.attempt}, 0, "taken back before it started");
    }
  }
}

// False where the order must wait: it is brought again by the next poll.
inline bool apply_start(RunnerState& state, const Order& order, const OrderBundle& bundle) {
  const auto spec = bundle.specs.find(order.batch);
  if (spec == bundle.specs.end() || spec->second == nullptr) return false;
  if (state.queued + order.count > state.policy.max_queued) return false;
  state.queue.push_back({order.batch, order.first, order.count, order.attempt, order.numa_node, spec->second, false});
  state.queued += order.count;
  return true;
}

inline bool apply_order(RunnerTurn& turn, const Order& order, const OrderBundle& bundle) {
  RunnerState& state = turn.state;
  if (order.count > state.policy.max_queued) return false;
  if (order.kind == OrderKind::start) return apply_start(state, order, bundle);
  if (order.kind == OrderKind::withdraw) {
    apply_withdraw(state, order);
    return true;
  }
  for (std::uint64_t i = 0; i < order.count; ++i) {
    const AttemptKey key{TaskId{order.first.value + i}, order.attempt};
    if (order.kind == OrderKind::kill) {
      apply_kill(turn, key);
    } else {
      apply_pause(turn, key, order.kind == OrderKind::pause);
    }
  }
  return true;
}

}  // namespace detail

// Applies what is new of a bundle, up to the first gap. True if it brought anything.
inline bool apply_orders(RunnerTurn& turn, const OrderBundle& bundle) {
  RunnerState& state = turn.state;
  if (bundle.epoch != state.introduction.epoch || bundle.run != state.run) return false;
  const std::uint64_t before = state.applied;
  for (const auto& order : bundle.orders) {
    if (order.sequence <= state.applied) continue;
    if (order.sequence != state.applied + 1 || !detail::apply_order(turn, order, bundle)) break;
    state.applied = order.sequence;
  }
  return state.applied != before;
}

}  // namespace v1
}  // namespace hakuriver
