// What a host does with tasks that a runner's keeper would not even hear of.
#include "core/host_rig.hpp"

namespace hakuriver::test {

using enum TaskStatus;

namespace {

NodeEvent returned(TaskId task, std::int32_t error, const std::string& message) {
  KeptAttempt kept;
  kept.key = {task, Attempt{1}};
  kept.state = KeptState::ended;
  kept.outcome = {OutcomeKind::never_started, error};
  kept.message = message;
  return {NodeEventKind::returned, kept};
}

}  // namespace

TEST_CASE("a start that a node's keeper never takes is tried later and later, five times, and fails with the reason") {
  HostRig rig;
  rig.join("node1", HostRig::facts(1));
  const TaskId task = task_of(rig.submit().batch, 0);
  for (int attempt = 1; attempt <= 5; ++attempt) {
    CAPTURE(attempt);
    REQUIRE(rig.status(task) == assigning);
    const auto orders = rig.orders("node1");
    REQUIRE(orders.size() == 1);
    CHECK(orders[0].attempt == Attempt{1});  // the keeper knows of none
    rig.report("node1", {returned(task, 5, "the keeper that runs here is too old")});
    if (attempt == 5) break;
    REQUIRE(rig.status(task) == pending);
    CHECK(rig.records<ReturnRecord>().at(0).faults == static_cast<std::uint32_t>(attempt));
    CHECK(rig.orders("node1").empty());
    // Nothing for 1, 2, 4 and 8 seconds.
    rig.pass(std::chrono::seconds((1 << (attempt - 1)) - 1));
    rig.report("node1", {});
    CHECK(rig.status(task) == pending);
    rig.pass(std::chrono::milliseconds(1001));
    rig.report("node1", {});
  }
  CHECK(rig.status(task) == failed);
  REQUIRE(rig.records<EndRecord>().size() == 1);
  const EndRecord end = rig.records<EndRecord>()[0];
  CHECK(end.outcome == Outcome{OutcomeKind::never_started, 5});
  CHECK(end.message ==
        "node 'node1' could not start it: the keeper that runs here is too old (given up after 5 tries)");
}

TEST_CASE("a node that works takes what another node's keeper does not") {
  HostRig rig;
  rig.join("node1", HostRig::facts(1));
  const TaskId task = task_of(rig.submit().batch, 0);
  rig.orders("node1");
  rig.join("node2", HostRig::facts(1));
  rig.report("node1", {returned(task, 5, "too old")});
  CHECK(rig.status(task) == assigning);
  const auto orders = rig.orders("node2");
  REQUIRE(orders.size() == 1);
  CHECK(orders[0].first == task);
}

TEST_CASE("a start that no keeper would take fails at once, with what it said") {
  HostRig rig;
  rig.join("node1", HostRig::facts(2));
  const Accepted both = rig.submit({}, 2);
  rig.orders("node1");
  rig.report("node1", {returned(task_of(both.batch, 0), kNeverTakes, "a refusal of 5000 bytes")});
  CHECK(rig.status(task_of(both.batch, 0)) == failed);
  REQUIRE(rig.records<EndRecord>().size() == 1);
  CHECK(rig.records<EndRecord>()[0].message == "a refusal of 5000 bytes");
  CHECK(rig.records<EndRecord>()[0].node == "node1");
  // The node is not to blame: it gets the next one.
  CHECK(rig.status(task_of(rig.submit().batch, 0)) == assigning);
}

TEST_CASE("what was to be killed is killed, whatever the keeper says of its start") {
  for (const std::int32_t error : {0, 5, kNeverTakes}) {
    CAPTURE(error);
    HostRig rig;
    rig.join("node1", HostRig::facts(1));
    const TaskId task = task_of(rig.submit().batch, 0);
    rig.orders("node1");
    rig.send(host_event::Control{ReplyToken{5}, host_event::Command::kill, task.value});
    rig.report("node1", {returned(task, error, "too old")});
    CHECK(rig.status(task) == killed);
  }
}

TEST_CASE("what is nobody's fault goes back as it was, and the node gets more at once") {
  HostRig rig;
  rig.join("node1", HostRig::facts(1));
  const TaskId task = task_of(rig.submit().batch, 0);
  rig.orders("node1");
  rig.report("node1", {returned(task, 0, "taken back before it started")});
  CHECK(rig.status(task) == assigning);
  CHECK(rig.state.live.at(task).faults == 0);
  CHECK(rig.state.live.at(task).attempt == Attempt{1});
}

}  // namespace hakuriver::test
