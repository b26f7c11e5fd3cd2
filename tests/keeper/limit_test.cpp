// Time limits, on real processes and across the deaths of agents and keepers.
#include <doctest/doctest.h>
#include <signal.h>

#include "hakuriver/duration.hpp"
#include "keeper/node.hpp"

using namespace hakuriver;
using namespace hakuriver::test;
using namespace std::chrono_literals;

namespace {

StartRequest limited(const Node& node, std::uint64_t number, const std::string& script, std::chrono::milliseconds limit,
                     std::chrono::milliseconds grace) {
  auto request = node.shell(number, script);
  request.time_limit = limit;
  request.time_limit_grace = grace;
  return request;
}

void check_timed_out(const KeptAttempt& ended, const std::string& message) {
  CHECK(ended.outcome == Outcome{OutcomeKind::timed_out, 0});
  CHECK(shell_status(ended.outcome) == 124);
  CHECK(ended.message == message);
  CHECK_FALSE(ended.by_request);
}

// Runs the script to its time limit: the shortest of three within which it gets as far as to write the file `armed`.
// The answer is the number of that task.
std::uint64_t run_to_limit(Node& node, std::uint64_t number, const std::string& script, const std::string& armed,
                           std::chrono::milliseconds grace) {
  const auto path = node.out_directory() + "/" + armed;
  for (const auto limit : {1500ms, 6000ms, 25000ms}) {
    node.start(limited(node, ++number, script, limit, grace));
    const auto ended = node.wait_for_end(number);
    check_timed_out(ended, "the time limit of " + to_duration_text(limit) + " was reached");
    CHECK(ended.ended_after >= limit);
    if (exists(path)) return number;
  }
  FAIL("the script did not write '" << path << "' in 25 s");
  return 0;
}

constexpr const char* kStubborn =
    "trap '' TERM; (setsid sh -c 'trap \"\" TERM; echo $$ > far; while :; do sleep 0.01; "
    "done' &); while :; do sleep 0.01; done";

}  // namespace

TEST_CASE("at its time limit a tree gets TERM, and KILL after the grace") {
  Node node;
  REQUIRE(node.connect());
  const std::uint64_t gentle = run_to_limit(
      node, 10, "trap 'echo cleaned; exit 0' TERM; echo > armed; while :; do sleep 0.01; done", "armed", 30s);
  CHECK(node.output(gentle) == "cleaned\n");
  run_to_limit(node, 20, kStubborn, "far", 100ms);
  CHECK(is_gone(node.wait_for_pid("far")));
}

TEST_CASE("what ends or is asked to end before its time limit keeps its own end") {
  Node node;
  REQUIRE(node.connect());
  CHECK(node.run(limited(node, 1, "exit 3", 1h, 0ms)).outcome == Outcome{OutcomeKind::exited, 3});
  node.start(limited(node, 2, "trap '' TERM; echo $$ > ready; while :; do sleep 0.01; done", 10s, 0ms));
  node.wait_for_pid("ready");
  // The limit passes while it has time to end.
  REQUIRE(node.port().signal(node.key(2), TaskSignal::terminate, 11s).has_value());
  const auto killed = node.wait_for_end(2);
  CHECK(killed.outcome == Outcome{OutcomeKind::signaled, SIGKILL});
  CHECK(killed.by_request);
  const auto left = node.run(limited(node, 3, "(setsid sh -c 'trap \"\" TERM; sleep 1000' &); exit 4", 60s, 0ms));
  CHECK(left.outcome == Outcome{OutcomeKind::exited, 4});
}

TEST_CASE("the clock goes on while an attempt is paused") {
  Node node;
  REQUIRE(node.connect());
  node.start(limited(node, 1, "while :; do sleep 0.01; done", 1s, 20s));
  REQUIRE(node.port().signal(node.key(1), TaskSignal::pause, 0ms).has_value());
  check_timed_out(node.wait_for_end(1), "the time limit of 1s was reached");
}

TEST_CASE("a time limit goes on when the agent and the keeper are killed") {
  Node node;
  REQUIRE(node.connect());
  node.start(limited(node, 1, "sleep 1000", 2s, 20s));
  node.start(limited(node, 2, "sleep 1000", 1h, 20s));
  REQUIRE(node.wait([&] { return node.started.size() == 2; }));
  node.lose_agent();
  node.kill_keeper();
  REQUIRE(node.connect());
  const auto ended = node.wait_for_end(1);
  check_timed_out(ended, "the time limit of 2s was reached");
  CHECK(ended.ended_after >= 2s);
  CHECK_FALSE(node.ended.contains(2));
}

TEST_CASE("an attempt that reached its limit has reached it for the next keeper, too") {
  Node node({.keeper_program = HAKURIVER_TEST_CRASHING_KEEPER});
  const auto connected = node.connect_to_die_at("timed out:1");
  REQUIRE(connected);
  node.start(limited(node, 1, kStubborn, 1s, 100ms));
  REQUIRE(node.wait([&] { return !node.gone.empty(); }));
  const pid_t far = node.wait_for_pid("far");  // it has not been told to end yet
  REQUIRE(node.connect());
  check_timed_out(node.wait_for_end(1), "the time limit of 1s was reached");
  CHECK(is_gone(far));
}
