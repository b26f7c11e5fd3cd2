// Drives a runner's agent by hand: events in, effects out, and the invariants looked at after every step.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "hakuriver/runner/invariants.hpp"
#include "hakuriver/runner/transition.hpp"

namespace rig {

using namespace hakuriver;
using namespace std::chrono_literals;

inline constexpr Epoch kEpoch{7};
inline constexpr BatchId kBatch{100};

inline NodeFacts four_cores() {
  NodeFacts facts;
  facts.millicores = 4000;
  facts.memory_bytes = 8000;
  facts.numa_nodes = {{0, {0, 1}, 4000}, {1, {2, 3}, 4000}};
  facts.max_tasks = 64;
  return facts;
}

inline std::shared_ptr<const TaskSpec> spec_of(Resources resources) {
  auto spec = std::make_shared<TaskSpec>();
  spec->argv = {"true"};
  spec->resources = resources;
  return spec;
}

inline KeptAttempt kept(std::uint64_t task, KeptState state = KeptState::running, std::uint64_t record = 0) {
  KeptAttempt attempt;
  attempt.key = {TaskId{task}, Attempt{1}};
  attempt.state = state;
  attempt.record = record;
  if (state == KeptState::ended) attempt.outcome = {OutcomeKind::exited, 0};
  return attempt;
}

inline Order order(std::uint64_t sequence, OrderKind kind, std::uint64_t first, std::uint64_t count = 1) {
  return {sequence, kind, kBatch, TaskId{first}, count, Attempt{1}, std::nullopt};
}

class Agent {
 public:
  explicit Agent(RunnerPolicy policy = {}) : state(make_runner("node1", "0123", four_cores(), policy)) {}

  // Takes one event in; `effects` holds what came of it and of nothing before.
  template <class What>
  Agent& take(What what) {
    effects.clear();
    last = RunnerEvent{now, random, std::move(what)};
    transition(state, last, effects);
    CHECK(broken_invariants(state) == std::vector<std::string>{});
    return *this;
  }
  Agent& tick(std::chrono::microseconds later) {
    now = now + later;
    return take(runner_event::Tick{});
  }

  // The only effect of this kind, which must be there.
  template <class Effect>
  Effect the() const {
    std::vector<Effect> found = all<Effect>();
    REQUIRE(found.size() == 1);
    return found[0];
  }
  template <class Effect>
  std::vector<Effect> all() const {
    std::vector<Effect> found;
    for (const auto& effect : effects) {
      if (const auto* one = std::get_if<Effect>(&effect)) found.push_back(*one);
    }
    return found;
  }
  bool quiet() const { return effects.empty(); }

  Agent& greeted(Epoch epoch = kEpoch) { return take(runner_event::HelloAnswered{state.setup_call, {"c1", epoch, 5}}); }
  Agent& keeper_taken(std::vector<KeptAttempt> attempts = {}, std::uint64_t run = 1) {
    return take(
        runner_event::KeeperTaken{state.setup_call, {{"j", "b"}, RunId{run}, "c1", kEpoch, 0, std::move(attempts)}});
  }
  Agent& registered(std::uint64_t confirmed = 0) {
    return take(runner_event::RegistrationAnswered{state.setup_call, {confirmed, 5000ms}});
  }
  // From the first event to the first poll, and the first report has been seen.
  Agent& up(std::vector<KeptAttempt> attempts = {}) {
    take(runner_event::Start{});
    greeted();
    keeper_taken(std::move(attempts));
    registered();
    return seen();
  }
  Agent& ordered(std::vector<Order> orders, Resources resources = {1000, 0}) {
    OrderBundle bundle{state.introduction.epoch, state.run, std::move(orders), {}};
    bundle.specs[kBatch] = spec_of(resources);
    return take(runner_event::PollAnswered{state.poll_call, bundle});
  }
  Agent& seen() {
    return take(runner_event::ReportAnswered{state.report_call, {state.first_event + state.events.size() - 1, 0}});
  }

  MonotonicTime now{1'000'000};
  std::uint64_t random = 0xffff'ffff'ffff'ffff;
  RunnerState state;
  RunnerEffects effects;
  RunnerEvent last;
};

}  // namespace rig
