// A host at rest: how long it sleeps, and what its history tells of the time it slept through.
#include <doctest/doctest.h>

#include <chrono>

#include "service/health_history.hpp"
#include "service/host_pace.hpp"

using namespace hakuriver;
using namespace std::chrono_literals;

namespace {

constexpr MonotonicTime kLast{100'000'000};

HostState state_with_node(MonotonicTime deadline) {
  HostState state;
  state.nodes.emplace_back();
  state.nodes[0].name = "node1";
  state.nodes[0].presence = Presence::online;
  state.nodes[0].deadline = deadline;
  return state;
}

}  // namespace

TEST_SUITE("a host at rest") {
  TEST_CASE("ticks now and then, but within the lateness that would move its deadlines") {
    CHECK(service::next_tick(HostState{}, kLast) == kLast + 4s);
    CHECK(service::next_tick(state_with_node(kLast + 30s), kLast) == kLast + 4s);
  }

  TEST_CASE("wakes at the deadline of a node, never sooner than a second after its last tick") {
    CHECK(service::next_tick(state_with_node(kLast + 2500ms), kLast) == kLast + 2500ms);
    CHECK(service::next_tick(state_with_node(kLast + 10ms), kLast) == kLast + 1s);
    CHECK(service::next_tick(state_with_node(MonotonicTime{}), kLast) == kLast + 1s);
  }

  TEST_CASE("does not wake for the deadlines of nodes that are silent or gone") {
    for (const Presence presence : {Presence::silent, Presence::gone}) {
      HostState state = state_with_node(kLast + 2s);
      state.nodes[0].presence = presence;
      CHECK(service::next_tick(state, kLast) == kLast + 4s);
    }
  }

  TEST_CASE("answers a held poll in time") {
    HostState state = state_with_node(kLast + 30s);
    state.nodes[0].poll = ReplyToken{1};
    state.nodes[0].poll_since = kLast + (3s - state.policy.poll_hold);
    CHECK(service::next_tick(state, kLast) == kLast + 3s);
  }

  TEST_CASE("ticks every second while tasks wait or are ordered ahead") {
    HostState state = state_with_node(kLast + 30s);
    state.nodes[0].ahead_count = 1;
    CHECK(service::next_tick(state, kLast) == kLast + 1s);
    state.nodes[0].ahead_count = 0;
    state.heads.emplace(TaskId{7}, 0);
    CHECK(service::next_tick(state, kLast) == kLast + 1s);
  }

  TEST_CASE("has a sample for each second, those slept through like the one before") {
    Now now{kLast, {1'745'000'000'000'000}};
    service::HealthHistory history([&now] { return now; });
    CHECK(history.samples().empty());
    HostState state = state_with_node(kLast + 30s);
    history.take(state, now);
    REQUIRE(history.samples().size() == 1);
    CHECK(history.samples()[0].cluster.taken_at == now.utc);

    now = {now.monotonic + 4s, now.utc + 4s};
    state.nodes[0].presence = Presence::silent;
    history.take(state, now);
    const auto samples = history.samples();
    REQUIRE(samples.size() == 5);
    for (std::size_t i = 0; i < samples.size(); ++i) {
      CHECK(samples[i].nodes[0].status == (i < 4 ? "online" : "offline"));
      CHECK(samples[i].cluster.taken_at == UtcTime{1'745'000'000'000'000} + i * 1s);
    }
  }

  TEST_CASE("remembers a minute, however seldom or often it was told") {
    Now now{kLast, {1'745'000'000'000'000}};
    service::HealthHistory history([&now] { return now; });
    const HostState state = state_with_node(kLast + 30s);
    history.take(state, now);
    now = {now.monotonic + 600s, now.utc + 600s};
    CHECK(history.samples().size() == 60);
    for (int i = 0; i < 500; ++i) {
      now = {now.monotonic + 900ms, now.utc + 900ms};
      history.take(state, now);
    }
    REQUIRE(history.samples().size() == 60);
    CHECK(history.samples()[0].cluster.taken_at == now.utc + -59s);
  }
}
