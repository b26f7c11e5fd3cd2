// Everything that a runner's agent knows. None of it lasts: the keeper lists what runs to the next agent.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "hakuriver/host/state.hpp"
#include "hakuriver/messages.hpp"
#include "hakuriver/runner/events.hpp"

namespace hakuriver {
inline namespace v1 {

// What may be chosen about the agent's decisions.
struct RunnerPolicy {
  std::chrono::microseconds first_retry{200'000};       // retries wait a random part of this, doubled each time,
  std::chrono::microseconds slowest_retry{30'000'000};  // up to this
  std::chrono::milliseconds grace{10'000};              // between TERM and KILL
  std::chrono::microseconds stop_wait{
      10'000'000};                               // for the host and, beyond the grace, for tasks when the agent stops
  std::uint32_t max_report_events = 4096;        // in one report
  std::chrono::microseconds report_pace{4'000};  // between reports while further tasks wait here
  std::uint64_t max_queued = std::uint64_t{1} << 20;  // tasks; orders beyond that wait at the host
};

enum class RunnerPhase : std::uint8_t {
  idle = 0,         // not started
  greeting = 1,     // wants an introduction
  taking_over = 2,  // has one, wants the keeper
  registering = 3,  // has the keeper's list, wants it committed
  registered = 4,   // the run has begun
  leaving = 5,      // said goodbye
  stopped = 6,
};

// Tasks first .. first + count - 1 of a batch wait for a place on this node.
struct QueuedStart {
  BatchId batch;
  TaskId first;
  std::uint64_t count = 1;
  Attempt attempt;
  std::optional<std::uint32_t> numa_node;
  std::shared_ptr<const TaskSpec> spec;
  bool pause = false;  // to be paused as soon as it starts
};

enum class LocalStatus : std::uint8_t {
  starting = 0,  // the keeper was told to start it
  running = 1,
  paused = 2,
  ended = 3,  // the host has not yet said that it knows
};

// An attempt that the keeper knows, as far as the agent decides on it.
struct LocalAttempt {
  LocalStatus status = LocalStatus::starting;
  Resources resources{0, 0};
  std::optional<std::uint32_t> numa_node;
  std::uint64_t record = 0;  // of its end
};

struct AttemptKeyHash {
  std::size_t operator()(const AttemptKey& key) const noexcept {
    return std::hash<std::uint64_t>{}(key.task.value * 0x9e3779b97f4a7c15U + key.attempt.value);
  }
};

struct RunnerState {
  std::string node;
  std::string runner_id;
  NodeFacts facts;
  RunnerPolicy policy;

  RunnerPhase phase = RunnerPhase::idle;
  CallId last_call;
  CallId setup_call;              // hello, take over, registration or goodbye, by phase; zero: none is out
  std::uint32_t setup_tries = 0;  // since the host last took something of a run
  MonotonicTime setup_at;         // of the next hello, while greeting
  Epoch epoch_seen;
  Introduction introduction;  // since taking_over
  std::string last_note;

  Session session;  // this and all below: since the keeper was taken over
  RunId run;
  bool keeper_held = false;
  std::uint64_t confirmed = 0;    // records that the host has confirmed
  std::uint64_t last_record = 0;  // the highest heard of
  std::unordered_map<AttemptKey, LocalAttempt, AttemptKeyHash> attempts;
  std::deque<QueuedStart> queue;
  std::uint64_t queued = 0;  // tasks in the queue
  NodeUse use;               // of attempts that have not ended
  std::map<std::uint32_t, NodeUse> numa_use;

  std::chrono::microseconds report_interval{5'000'000};
  std::uint64_t applied = 0;      // orders
  std::uint64_t first_event = 1;  // the number of events[0]
  std::deque<NodeEvent> events;   // that the host has not seen for certain
  CallId poll_call;               // zero: none is out
  std::uint32_t poll_tries = 0;
  MonotonicTime poll_at;
  CallId report_call;  // zero: none is out
  std::uint32_t report_tries = 0;
  MonotonicTime report_at;           // of the next report, were there nothing to tell
  MonotonicTime reported_at;         // when the last one went out
  std::optional<NodeHealth> health;  // not yet reported

  std::optional<MonotonicTime> stop_by;  // asked to stop
  bool stop_tasks = false;
};

// The agent before its Start event.
inline RunnerState make_runner(std::string node, std::string runner_id, NodeFacts facts, RunnerPolicy policy = {}) {
  RunnerState state;
  state.node = std::move(node);
  state.runner_id = std::move(runner_id);
  state.facts = std::move(facts);
  state.policy = policy;
  return state;
}

// When events may be told. While tasks wait here no place idles for want of orders, so that what happens within a
// moment is told in one report: a start and an end of every short task, each with a commit at the host, would cost more
// than the tasks.
inline MonotonicTime tells_at(const RunnerState& state) noexcept {
  return state.queued > 0 ? state.reported_at + state.policy.report_pace : state.reported_at;
}

// When the agent wants its next Tick; none: only when something else happens.
inline std::optional<MonotonicTime> next_wakeup(const RunnerState& state) {
  std::optional<MonotonicTime> next = state.stop_by;
  const auto consider = [&next](MonotonicTime at) { next = next ? std::min(*next, at) : at; };
  if (state.phase == RunnerPhase::idle || state.phase == RunnerPhase::stopped) return std::nullopt;
  if (state.phase == RunnerPhase::greeting && state.setup_call.value == 0) consider(state.setup_at);
  if (state.phase != RunnerPhase::registered) return next;
  if (state.poll_call.value == 0 && !state.stop_by) consider(state.poll_at);
  if (state.report_call.value == 0) consider(state.report_at);
  if (state.report_call.value == 0 && state.report_tries == 0 && !state.events.empty()) consider(tells_at(state));
  return next;
}

}  // namespace v1
}  // namespace hakuriver
