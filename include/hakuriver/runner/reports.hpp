// What the keeper tells of attempts, and how it reaches the host: numbered events, told again until they are seen.
#pragma once

#include <algorithm>
#include <string>
#include <utility>

#include "hakuriver/runner/queue.hpp"

namespace hakuriver {
inline namespace v1 {

namespace detail {

inline void take_started(RunnerState& state, const KeptAttempt& attempt) {
  const auto known = state.attempts.find(attempt.key);
  if (known == state.attempts.end() || known->second.status != LocalStatus::starting) return;
  known->second.status = LocalStatus::running;
  tell(state, NodeEventKind::started, attempt);
}

inline void take_changed(RunnerState& state, const KeptAttempt& attempt) {
  const auto known = state.attempts.find(attempt.key);
  if (known == state.attempts.end()) return;
  const LocalStatus status = known->second.status;
  const bool pauses = status == LocalStatus::running && attempt.state == KeptState::paused;
  const bool resumes = status == LocalStatus::paused && attempt.state == KeptState::running;
  if (!pauses && !resumes) return;
  known->second.status = pauses ? LocalStatus::paused : LocalStatus::running;
  tell(state, pauses ? NodeEventKind::paused : NodeEventKind::resumed, attempt);
}

// Records come in their order, so one that is not above the last is an echo.
inline void take_ended(RunnerState& state, const KeptAttempt& attempt) {
  if (attempt.record <= state.last_record) return;
  state.last_record = attempt.record;
  LocalAttempt& known =
      state.attempts.try_emplace(attempt.key, LocalAttempt{LocalStatus::ended, {}, {}, 0}).first->second;
  if (known.status != LocalStatus::ended) free_place(state, known);
  known.status = LocalStatus::ended;
  known.record = attempt.record;
  tell(state, NodeEventKind::ended, attempt);
}

inline void take_failed_start(RunnerState& state, const runner_event::StartFailed& event) {
  const auto known = state.attempts.find(event.key);
  if (known == state.attempts.end() || known->second.status != LocalStatus::starting) return;
  free_place(state, known->second);
  state.attempts.erase(known);
  tell_returned(state, event.key, event.error_number, event.message);
}

// The host has committed the keeper's records up to here.
inline void confirm_records(RunnerTurn& turn, std::uint64_t record) {
  RunnerState& state = turn.state;
  if (record <= state.confirmed) return;
  state.confirmed = record;
  turn.out.push_back(runner_effect::ConfirmRecords{record});
}

inline void take_receipt(RunnerTurn& turn, const Receipt& receipt) {
  RunnerState& state = turn.state;
  while (!state.events.empty() && state.first_event <= receipt.events_seen) {
    const NodeEvent& event = state.events.front();
    if (event.kind == NodeEventKind::ended) state.attempts.erase(event.attempt.key);
    state.events.pop_front();
    ++state.first_event;
  }
  confirm_records(turn, receipt.confirmed);
  state.report_tries = 0;
  state.setup_tries = 0;
  state.report_at = turn.now + state.report_interval;
}

inline CallId next_call(RunnerState& state) { return state.last_call = CallId{state.last_call.value + 1}; }

// One report is out at a time; what happens meanwhile goes with the next. After a failure all waits for the retry.
inline void report_if_due(RunnerTurn& turn) {
  RunnerState& state = turn.state;
  const bool wanted = state.report_tries == 0 && !state.events.empty() && turn.now >= tells_at(state);
  if (state.report_call.value != 0 || (!wanted && turn.now < state.report_at)) return;
  Report report;
  report.node = state.node;
  report.epoch = state.introduction.epoch;
  report.run = state.run;
  report.applied = state.applied;
  report.first_event = state.first_event;
  const auto count = std::min<std::size_t>(state.events.size(), state.policy.max_report_events);
  report.events.assign(state.events.begin(), state.events.begin() + static_cast<std::ptrdiff_t>(count));
  report.health = std::exchange(state.health, std::nullopt);
  state.reported_at = turn.now;
  state.report_call = next_call(state);
  turn.out.push_back(runner_effect::SendReport{state.report_call, std::move(report)});
}

// One poll is always out, for the host answers it only when there is something to order.
inline void poll_if_due(RunnerTurn& turn) {
  RunnerState& state = turn.state;
  if (state.poll_call.value != 0 || turn.now < state.poll_at || state.stop_by) return;
  state.poll_call = next_call(state);
  turn.out.push_back(
      runner_effect::AskOrders{state.poll_call, Poll{state.node, state.introduction.epoch, state.run, state.applied}});
}

// A random part of a span that doubles with each try: full jitter.
inline std::chrono::microseconds backoff(const RunnerTurn& turn, std::uint32_t tries) {
  const RunnerPolicy& policy = turn.state.policy;
  const auto span = std::min(policy.slowest_retry, policy.first_retry * (std::int64_t{1} << std::min(tries, 20U)));
  const auto bound = static_cast<std::uint64_t>(span.count()) + 1;
  return std::chrono::microseconds{static_cast<std::int64_t>(turn.random % bound)};
}

}  // namespace detail

}  // namespace v1
}  // namespace hakuriver
