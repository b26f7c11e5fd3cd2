// The runner's agent as a pure function: no clock, no input or output, no randomness of its own.
//
//   RunnerState agent = make_runner("node1", runner_id, facts);
//   RunnerEffects effects;
//   transition(agent, {now, random, runner_event::Start{}}, effects);   // effects: say hello
//
// Its life: hello -> introduction -> the keeper is taken over -> registration -> a run: polls for orders, reports of
// events. Whenever the host does not know the run, the keeper is gone, or the machine offers something else, it says
// hello again and a new run begins.
// It never gives up, and its tasks never notice.
#pragma once

#include <utility>
#include <variant>

#include "hakuriver/runner/registration.hpp"

namespace hakuriver {
inline namespace v1 {

namespace detail {

inline bool any_running(const RunnerState& state) noexcept { return state.use.tasks > 0; }

inline void finish_stop(RunnerTurn& turn) {
  turn.state.phase = RunnerPhase::stopped;
  turn.state.setup_call = {};
  turn.state.poll_call = {};
  turn.state.report_call = {};
  turn.out.push_back(runner_effect::Stopped{});
}

// Nothing more starts: what waits goes back, and what runs is ended if that was asked for.
inline void take_stop(RunnerTurn& turn, bool stop_tasks) {
  RunnerState& state = turn.state;
  if (state.stop_by) return;
  state.stop_tasks = stop_tasks;
  state.stop_by = turn.now + state.policy.stop_wait;
  if (stop_tasks) *state.stop_by = *state.stop_by + state.policy.grace;
  for (const auto& waiting : state.queue) {
    for (std::uint64_t i = 0; i < waiting.count; ++i) {
      tell_returned(state, {TaskId{waiting.first.value + i}, waiting.attempt}, 0, "the runner stops");
    }
  }
  clear_queue(state);
  if (!stop_tasks) return;
  for (const auto& [key, attempt] : state.attempts) {
    if (attempt.status != LocalStatus::ended) signal_attempt(turn, key, TaskSignal::terminate);
  }
}

// Goes once everything is told, or when it takes too long. Without a run there is nothing to tell: the keeper keeps it.
inline void leave_if_done(RunnerTurn& turn) {
  RunnerState& state = turn.state;
  if (!state.stop_by || state.phase == RunnerPhase::stopped) return;
  const bool has_run = state.phase == RunnerPhase::registered || state.phase == RunnerPhase::leaving;
  if (turn.now >= *state.stop_by || (!has_run && !state.stop_tasks)) {
    finish_stop(turn);
    return;
  }
  const bool told = state.events.empty() && state.report_call.value == 0;
  if (state.phase != RunnerPhase::registered || !told || (state.stop_tasks && any_running(state))) return;
  state.phase = RunnerPhase::leaving;
  state.poll_call = {};
  state.setup_call = next_call(state);
  turn.out.push_back(runner_effect::SayGoodbye{
      state.setup_call, Goodbye{state.node, state.introduction.epoch, state.run, state.applied}});
}

enum class CallKind : std::uint8_t { none, setup, poll, report };

inline CallKind kind_of(const RunnerState& state, CallId call) noexcept {
  if (call.value == 0) return CallKind::none;
  if (call == state.setup_call) return CallKind::setup;
  if (call == state.poll_call) return CallKind::poll;
  return call == state.report_call ? CallKind::report : CallKind::none;
}

inline void retry_poll(RunnerTurn& turn) {
  turn.state.poll_call = {};
  turn.state.poll_at = turn.now + backoff(turn, turn.state.poll_tries++);
}

inline void retry_report(RunnerTurn& turn) {
  turn.state.report_call = {};
  turn.state.report_at = turn.now + backoff(turn, turn.state.report_tries++);
}

// The call came to nothing: the same again, later.
inline void retry(RunnerTurn& turn, CallKind kind) {
  if (kind == CallKind::poll) {
    retry_poll(turn);
  } else if (kind == CallKind::report) {
    retry_report(turn);
  } else if (turn.state.phase == RunnerPhase::leaving) {
    finish_stop(turn);
  } else if (kind == CallKind::setup) {
    begin_again(turn, false);
  }
}

inline void take(RunnerTurn& turn, const runner_event::Start&) {
  if (turn.state.phase != RunnerPhase::idle) return;
  turn.state.phase = RunnerPhase::greeting;
  turn.state.setup_at = turn.now;
}

inline void take(RunnerTurn& turn, const runner_event::HelloAnswered& event) {
  if (turn.state.phase != RunnerPhase::greeting || kind_of(turn.state, event.call) != CallKind::setup) return;
  take_introduction(turn, event.answer);
}

inline void take(RunnerTurn& turn, const runner_event::KeeperTaken& event) {
  RunnerState& state = turn.state;
  if (state.phase != RunnerPhase::taking_over || kind_of(state, event.call) != CallKind::setup) return;
  take_keeper(turn, event.answer);
  if (!state.stop_tasks) return;
  for (const auto& [key, attempt] : state.attempts) {
    if (attempt.status != LocalStatus::ended) signal_attempt(turn, key, TaskSignal::terminate);
  }
}

inline void take(RunnerTurn& turn, const runner_event::KeeperRefused& event) {
  if (turn.state.phase != RunnerPhase::taking_over || kind_of(turn.state, event.call) != CallKind::setup) return;
  take_keeper_refusal(turn, event.error);
}

inline void take(RunnerTurn& turn, const runner_event::RegistrationAnswered& event) {
  if (turn.state.phase != RunnerPhase::registering || kind_of(turn.state, event.call) != CallKind::setup) return;
  take_registration_answer(turn, event.answer);
}

// A bundle that brings nothing new is one that cannot be applied now, or an echo: the next poll waits a little.
inline void take(RunnerTurn& turn, const runner_event::PollAnswered& event) {
  RunnerState& state = turn.state;
  if (kind_of(state, event.call) != CallKind::poll) return;
  const bool is_news = !state.stop_by && apply_orders(turn, event.answer);
  if (!is_news && !event.answer.orders.empty()) {
    retry_poll(turn);
    return;
  }
  state.poll_call = {};
  state.poll_tries = 0;
  state.setup_tries = 0;
  state.poll_at = turn.now;
}

inline void take(RunnerTurn& turn, const runner_event::ReportAnswered& event) {
  if (kind_of(turn.state, event.call) != CallKind::report) return;
  turn.state.report_call = {};
  if (turn.state.report_tries > 0) note(turn, "the host answers again");
  take_receipt(turn, event.answer);
}

inline void take(RunnerTurn& turn, const runner_event::GoodbyeAnswered& event) {
  if (turn.state.phase != RunnerPhase::leaving || kind_of(turn.state, event.call) != CallKind::setup) return;
  finish_stop(turn);
}

inline void take(RunnerTurn& turn, const runner_event::CallRefused& event) {
  const CallKind kind = kind_of(turn.state, event.call);
  if (kind == CallKind::none) return;
  const Refusal why = event.refusal.why;
  if (why != Refusal::register_again) note(turn, "the host refuses: " + event.refusal.message);
  if (why == Refusal::overloaded || turn.state.phase == RunnerPhase::leaving) {
    retry(turn, kind);
    return;
  }
  begin_again(turn, why == Refusal::register_again);
}

inline void take(RunnerTurn& turn, const runner_event::CallFailed& event) {
  const CallKind kind = kind_of(turn.state, event.call);
  if (kind == CallKind::none) return;
  if (kind != CallKind::poll) note(turn, "the host cannot be reached: " + event.reason);
  retry(turn, kind);
}

inline void take(RunnerTurn& turn, const runner_event::AttemptStarted& event) {
  take_started(turn.state, event.attempt);
}

inline void take(RunnerTurn& turn, const runner_event::AttemptChanged& event) {
  take_changed(turn.state, event.attempt);
}

inline void take(RunnerTurn& turn, const runner_event::AttemptEnded& event) { take_ended(turn.state, event.attempt); }

inline void take(RunnerTurn& turn, const runner_event::KeeperGone& event) {
  RunnerState& state = turn.state;
  state.keeper_held = false;
  if (state.phase == RunnerPhase::idle || state.phase == RunnerPhase::greeting || state.phase == RunnerPhase::leaving) {
    return;
  }
  note(turn, "the keeper is gone: " + event.reason);
  begin_again(turn, true);
}

inline void take(RunnerTurn& turn, const runner_event::StartFailed& event) { take_failed_start(turn.state, event); }

inline void take(RunnerTurn& turn, const runner_event::HealthRead& event) { turn.state.health = event.health; }

inline void take(RunnerTurn& turn, const runner_event::FactsChanged& event) {
  RunnerState& state = turn.state;
  if (state.facts == event.facts) return;
  state.facts = event.facts;
  const bool is_told = state.phase == RunnerPhase::registering || state.phase == RunnerPhase::registered;
  if (is_told && !state.stop_by) begin_again(turn, true);
}

inline void take(RunnerTurn&, const runner_event::Tick&) {}

inline void take(RunnerTurn& turn, const runner_event::Stop& event) { take_stop(turn, event.stop_tasks); }

}  // namespace detail

// Takes one event in. Effects are appended; they are to be done in their order. An event that comes twice changes
// nothing the second time.
inline void transition(RunnerState& state, const RunnerEvent& event, RunnerEffects& effects) {
  if (state.phase == RunnerPhase::stopped) return;
  RunnerTurn turn{state, event.now, event.random, effects};
  std::visit([&turn](const auto& what) { detail::take(turn, what); }, event.what);
  detail::start_what_fits(turn);
  detail::greet_if_due(turn);
  if (state.phase == RunnerPhase::registered) {
    detail::report_if_due(turn);
    detail::poll_if_due(turn);
  }
  detail::leave_if_done(turn);
}

}  // namespace v1
}  // namespace hakuriver
