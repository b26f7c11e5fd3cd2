// What waits at the node and what runs there: first come, first served, within what the node has.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "hakuriver/host/capacity.hpp"
#include "hakuriver/runner/state.hpp"

namespace hakuriver {
inline namespace v1 {

// One step of the agent: the state it may change, the event's time and random number, and where its effects go.
struct RunnerTurn {
  RunnerState& state;
  MonotonicTime now;
  std::uint64_t random = 0;
  RunnerEffects& out;
};

namespace detail {

inline void hold_place(RunnerState& state, const LocalAttempt& attempt) {
  add_use(state.use, attempt.resources);
  if (attempt.numa_node) add_use(state.numa_use[*attempt.numa_node], attempt.resources);
}

inline void free_place(RunnerState& state, const LocalAttempt& attempt) {
  drop_use(state.use, attempt.resources);
  if (attempt.numa_node) drop_use(state.numa_use[*attempt.numa_node], attempt.resources);
}

inline void tell(RunnerState& state, NodeEventKind kind, KeptAttempt attempt) {
  if (kind != NodeEventKind::ended) attempt.record = 0;
  state.events.push_back({kind, std::move(attempt)});
}

// Tells that an attempt never started and never will. `error_number`: see kNeverTakes.
inline void tell_returned(RunnerState& state, AttemptKey key, std::int32_t error_number, std::string message) {
  KeptAttempt attempt;
  attempt.key = key;
  attempt.state = KeptState::ended;
  attempt.outcome = {OutcomeKind::never_started, error_number};
  attempt.message = std::move(message);
  tell(state, NodeEventKind::returned, std::move(attempt));
}

inline void clear_queue(RunnerState& state) {
  state.queue.clear();
  state.queued = 0;
}

// Takes tasks first .. first + count - 1 of this attempt out of the queue; the answer lists those that were in it.
inline std::vector<QueuedStart> take_queued(RunnerState& state, TaskId first, std::uint64_t count, Attempt attempt) {
  std::vector<QueuedStart> taken;
  const std::uint64_t end = first.value + count;
  for (std::size_t i = 0; i < state.queue.size(); ++i) {
    const QueuedStart whole = state.queue[i];
    const std::uint64_t from = std::max(whole.first.value, first.value);
    const std::uint64_t to = std::min(whole.first.value + whole.count, end);
    if (whole.attempt != attempt || from >= to) continue;
    QueuedStart part = whole;
    part.first = TaskId{from};
    part.count = to - from;
    state.queued -= part.count;
    taken.push_back(part);
    QueuedStart after = whole;
    after.first = TaskId{to};
    after.count = whole.first.value + whole.count - to;
    state.queue[i].count = from - whole.first.value;
    if (after.count > 0) state.queue.insert(state.queue.begin() + static_cast<std::ptrdiff_t>(i) + 1, after);
    if (state.queue[i].count == 0) {
      state.queue.erase(state.queue.begin() + static_cast<std::ptrdiff_t>(i));
      --i;
    }
  }
  return taken;
}

// Marks one queued task to be paused, or not, when it starts. False if it is not in the queue.
inline bool mark_queued(RunnerState& state, TaskId task, Attempt attempt, bool pause) {
  for (std::size_t i = 0; i < state.queue.size(); ++i) {
    const QueuedStart whole = state.queue[i];
    const std::uint64_t before = task.value - whole.first.value;
    if (whole.attempt != attempt || task < whole.first || before >= whole.count) continue;
    if (whole.pause == pause) return true;
    std::vector<QueuedStart> parts{whole, whole, whole};
    parts[0].count = before;
    parts[1] = {whole.batch, task, 1, attempt, whole.numa_node, whole.spec, pause};
    parts[2].first = TaskId{task.value + 1};
    parts[2].count = whole.count - before - 1;
    std::erase_if(parts, [](const QueuedStart& part) { return part.count == 0; });
    const auto at = state.queue.erase(state.queue.begin() + static_cast<std::ptrdiff_t>(i));
    state.queue.insert(at, parts.begin(), parts.end());
    return true;
  }
  return false;
}

// An attempt that is known already is not started again, whoever orders it.
inline void start_head(RunnerTurn& turn) {
  RunnerState& state = turn.state;
  QueuedStart& head = state.queue.front();
  const AttemptKey key{head.first, head.attempt};
  const LocalAttempt attempt{LocalStatus::starting, head.spec->resources, head.numa_node, 0};
  if (state.attempts.emplace(key, attempt).second) {
    hold_place(state, attempt);
    turn.out.push_back(runner_effect::StartAttempt{key, head.batch, head.numa_node, head.spec});
    if (head.pause) {
      turn.out.push_back(runner_effect::SignalAttempt{key, TaskSignal::pause, std::chrono::milliseconds{0}});
    }
  }
  head.first = TaskId{head.first.value + 1};
  --head.count;
  --state.queued;
  if (head.count == 0) state.queue.pop_front();
}

// Starts the oldest waiting tasks for as long as the oldest one fits. One that can never fit here goes back.
inline void start_what_fits(RunnerTurn& turn) {
  RunnerState& state = turn.state;
  constexpr std::int32_t kNotHere = 19;  // ENODEV: another node may have it
  while (state.keeper_held && !state.stop_by && !state.queue.empty()) {
    const QueuedStart& head = state.queue.front();
    const Resources& resources = head.spec->resources;
    if (room_for(state.facts, state.use, state.numa_use, resources, head.numa_node) > 0) {
      start_head(turn);
      continue;
    }
    const std::string why = why_never(state.facts, requirements_of(*head.spec), head.numa_node);
    if (why.empty()) return;
    const QueuedStart misfit = head;
    for (const auto& part : take_queued(state, misfit.first, 1, misfit.attempt)) {
      tell_returned(state, {part.first, part.attempt}, kNotHere, why);
    }
  }
}

}  // namespace detail

}  // namespace v1
}  // namespace hakuriver
