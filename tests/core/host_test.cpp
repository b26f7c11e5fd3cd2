#include "core/host_rig.hpp"

namespace hakuriver::test {

using enum TaskStatus;

TEST_CASE("one task goes from submission to its end, and each step is written before it is told") {
  HostRig rig;
  rig.join("node1", HostRig::facts(2));
  const Accepted accepted = rig.submit();
  CHECK(rig.records<BatchRecord>().size() == 1);
  const TaskId task = task_of(accepted.batch, 0);
  CHECK(rig.records<OrderRecord>().size() == 1);
  CHECK(rig.status(task) == assigning);
  const auto orders = rig.orders("node1");
  REQUIRE(orders.size() == 1);
  CHECK(orders[0].first == task);
  CHECK(orders[0].attempt == Attempt{1});
  rig.report("node1", {started(task)});
  CHECK(rig.status(task) == running);
  CHECK(rig.out.records.empty());
  rig.report("node1", {ended(task, 1)});
  CHECK(rig.status(task) == completed);
  const auto ends = rig.records<EndRecord>();
  REQUIRE(ends.size() == 1);
  CHECK(ends[0].ended_at == UtcTime{1'760'000'003'000'000});
  CHECK(rig.records<ConfirmRecord>().at(0).confirmed == 1);
  CHECK(rig.state.nodes[0].use == NodeUse{});
  CHECK(rig.state.live.empty());
}

TEST_CASE("replaying any report changes nothing") {
  HostRig rig;
  rig.join("node1", HostRig::facts(2));
  const TaskId task = task_of(rig.submit().batch, 0);
  rig.orders("node1");
  rig.report("node1", {started(task), ended(task, 1, {OutcomeKind::exited, 3})});
  CHECK(rig.status(task) == failed);
  rig.send(host_event::TakeReport{ReplyToken{3}, rig.last_report});
  CHECK(rig.status(task) == failed);
  CHECK(rig.out.records.empty());
  CHECK(std::get<Receipt>(rig.actions<host_action::AnswerReport>().at(0).answer) == Receipt{2, 1});
}

TEST_CASE("a repeated submission id gets the first answer, and another content is refused") {
  HostRig rig;
  rig.join("node1", HostRig::facts(2));
  const Accepted first = rig.submit({}, 1, {1000, 0}, "abc");
  const Accepted second = rig.submit({}, 1, {1000, 0}, "abc");
  CHECK(first == second);
  CHECK(rig.out.records.empty());
  auto spec = std::make_shared<TaskSpec>();
  spec->argv = {"false"};
  rig.send(host_event::Submit{ReplyToken{9}, "abc", 8, {}, 1, spec});
  const auto refused = std::get<Refused>(rig.actions<host_action::AnswerSubmission>().at(0).answer);
  CHECK(refused.error.code == Errc::conflict);
}

TEST_CASE("targets are judged one by one, and a submission with none left is refused") {
  HostRig rig;
  rig.join("node1", HostRig::facts(2));
  const Accepted accepted = rig.submit({{"node1", {}}, {"nosuch", {}}, {"node1", 3}});
  CHECK(accepted.count == 1);
  REQUIRE(accepted.failed_targets.size() == 2);
  CHECK(accepted.failed_targets[0] == FailedTarget{"nosuch", "there is no node 'nosuch'"});
  CHECK(accepted.failed_targets[1].target == "node1:3");
  rig.submit({{"nosuch", {}}});
  CHECK(rig.last_refusal.error.code == Errc::unavailable);
  rig.submit({}, 1, {64'000, 0});
  CHECK(rig.last_refusal.error.message == "64 cores asked for, the node has 2 (node 'node1')");
  CHECK(rig.out.records.empty());
}

TEST_CASE("a node is never given more than it has, and what does not fit waits") {
  HostRig rig;
  rig.join("node1", HostRig::facts(2, 1000));
  const Accepted many = rig.submit({}, 5);
  CHECK(rig.state.nodes[0].use.reserved.millicores == 2000);
  rig.orders("node1");
  rig.report("node1", {started(task_of(many.batch, 0)), ended(task_of(many.batch, 0), 1)});
  CHECK(rig.state.nodes[0].use.tasks == 2);
  CHECK(rig.status(task_of(many.batch, 2)) == assigning);
  CHECK(rig.status(task_of(many.batch, 3)) == pending);
}

TEST_CASE("the oldest task that fits nowhere claims a node, and younger ones pass it elsewhere only") {
  HostRig rig;
  rig.join("big", HostRig::facts(4));
  rig.join("small", HostRig::facts(1));
  const TaskId running_task = task_of(rig.submit({{"big", {}}}).batch, 0);
  rig.orders("big");
  const TaskId wide = task_of(rig.submit({}, 1, {4000, 0}).batch, 0);
  CHECK(rig.status(wide) == pending);
  const Accepted young = rig.submit({}, 2);
  CHECK(rig.status(task_of(young.batch, 0)) == assigning);
  CHECK(rig.state.nodes[1].use.tasks == 1);
  CHECK(rig.status(task_of(young.batch, 1)) == pending);
  rig.report("big", {started(running_task), ended(running_task, 1)});
  CHECK(rig.status(wide) == assigning);
  CHECK(rig.status(task_of(young.batch, 1)) == pending);
}

TEST_CASE("a silent node loses its tasks, and gets them back when it speaks again") {
  HostRig rig;
  rig.join("node1", HostRig::facts(2));
  const Accepted batch = rig.submit({}, 2);
  rig.orders("node1");
  rig.report("node1", {started(task_of(batch.batch, 0)), started(task_of(batch.batch, 1))});
  rig.tick_for(std::chrono::seconds(32));
  CHECK(rig.status(task_of(batch.batch, 0)) == lost);
  CHECK(rig.state.nodes[0].use.tasks == 2);
  rig.report("node1", {});
  CHECK(std::holds_alternative<NodeRefusal>(rig.actions<host_action::AnswerReport>().at(0).answer));
  rig.join(
      "node1", HostRig::facts(2),
      {ended_attempt(task_of(batch.batch, 0), 1, {OutcomeKind::exited, 0}), held_attempt(task_of(batch.batch, 1))});
  CHECK(rig.status(task_of(batch.batch, 0)) == completed);
  CHECK(rig.status(task_of(batch.batch, 1)) == running);
}

TEST_CASE("what a node does not list is judged by its session") {
  struct Row {
    Session session;
    TaskStatus status;
  };
  for (const Row& row : {Row{HostRig::session("j1", "b1"), assigning}, Row{HostRig::session("j1", "b2"), failed},
                         Row{HostRig::session("j2", "b2"), failed}, Row{HostRig::session("j2", "b1"), lost}}) {
    CAPTURE(row.session.journal_id);
    CAPTURE(row.session.boot_id);
    HostRig rig;
    rig.join("node1", HostRig::facts(1));
    const TaskId task = task_of(rig.submit().batch, 0);
    rig.join("node1", HostRig::facts(1), {}, row.session);
    CHECK(rig.status(task) == row.status);
    const bool ordered_again = !rig.orders("node1").empty();
    CHECK(ordered_again == (row.status == assigning));
  }
}

TEST_CASE("a kill is a wish that stays until it is confirmed") {
  HostRig rig;
  rig.join("node1", HostRig::facts(1));
  const Accepted batch = rig.submit({}, 2);
  const TaskId first = task_of(batch.batch, 0);
  const TaskId second = task_of(batch.batch, 1);
  rig.orders("node1");
  rig.report("node1", {started(first)});
  rig.send(host_event::Control{ReplyToken{5}, host_event::Command::kill, batch.batch.value});
  CHECK(*rig.actions<host_action::AnswerCommand>().at(0).answer == CommandAnswer{1, 1});
  CHECK(rig.status(second) == killed);
  CHECK(rig.status(first) == running);
  const auto orders = rig.orders("node1");
  REQUIRE(orders.size() == 1);
  CHECK(orders[0].kind == OrderKind::kill);
  NodeEvent end = ended(first, 1, {OutcomeKind::signaled, 15});
  end.attempt.by_request = true;
  rig.report("node1", {end});
  CHECK(rig.status(first) == killed);
  rig.send(host_event::Control{ReplyToken{5}, host_event::Command::kill, first.value});
  CHECK(rig.actions<host_action::AnswerCommand>().at(0).answer.error().code == Errc::conflict);
  rig.send(host_event::Control{ReplyToken{5}, host_event::Command::kill, 17});
  CHECK(rig.actions<host_action::AnswerCommand>().at(0).answer.error().code == Errc::not_found);
}

TEST_CASE("a node's fault sends a task back, and after five it fails") {
  HostRig rig;
  rig.join("node1", HostRig::facts(1));
  const TaskId task = task_of(rig.submit().batch, 0);
  for (std::uint32_t attempt = 1; attempt <= 5; ++attempt) {
    CAPTURE(attempt);
    REQUIRE(rig.status(task) == assigning);
    const auto orders = rig.orders("node1");
    REQUIRE(orders.size() == 1);
    CHECK(orders[0].attempt == Attempt{attempt});
    NodeEvent fault = ended(task, attempt, {OutcomeKind::never_started, 28}, attempt);
    fault.attempt.message = "No space left on device";
    rig.report("node1", {fault});
    if (attempt < 5) {
      CHECK(rig.status(task) == pending);
      rig.pass(std::chrono::seconds(20));
      rig.report("node1", {});
    }
  }
  CHECK(rig.status(task) == failed);
  CHECK(rig.records<EndRecord>().at(0).message.find("No space left on device") != std::string::npos);
}

TEST_CASE("a drained node gets nothing new, and an offline one can be forgotten") {
  HostRig rig;
  rig.join("node1", HostRig::facts(1));
  const TaskId first = task_of(rig.submit().batch, 0);
  rig.send(host_event::ControlNode{ReplyToken{6}, host_event::NodeCommand::drain, "node1"});
  const TaskId second = task_of(rig.submit().batch, 0);
  rig.orders("node1");
  rig.report("node1", {started(first), ended(first, 1)});
  CHECK(rig.status(second) == pending);
  rig.send(host_event::ControlNode{ReplyToken{6}, host_event::NodeCommand::undrain, "node1"});
  CHECK(rig.status(second) == assigning);
  rig.send(host_event::ControlNode{ReplyToken{6}, host_event::NodeCommand::forget, "node1"});
  CHECK(rig.actions<host_action::AnswerCommand>().at(0).answer.error().code == Errc::conflict);
  rig.tick_for(std::chrono::seconds(32));
  rig.send(host_event::ControlNode{ReplyToken{6}, host_event::NodeCommand::forget, "node1"});
  CHECK(rig.status(second) == failed);
  CHECK(rig.records<EndRecord>().at(0).message == "node forgotten");
  rig.join("node1", HostRig::facts(1), {held_attempt(second)});
  const auto orders = rig.orders("node1");
  REQUIRE(orders.size() == 1);
  CHECK(orders[0].kind == OrderKind::kill);
  CHECK(rig.status(second) == failed);
}

TEST_CASE("a late tick moves the deadlines with it") {
  HostRig rig;
  rig.join("node1", HostRig::facts(1));
  rig.send(host_event::Tick{});
  rig.pass(std::chrono::hours(1));
  rig.send(host_event::Tick{});
  CHECK(rig.state.nodes[0].presence == Presence::online);
}

TEST_CASE("old finished batches leave") {
  HostRig rig;
  rig.join("node1", HostRig::facts(1));
  const Accepted accepted = rig.submit({}, 1, {1000, 0}, "once");
  rig.orders("node1");
  rig.report("node1", {started(task_of(accepted.batch, 0)), ended(task_of(accepted.batch, 0), 1)});
  rig.pass(std::chrono::hours(24 * 31));
  rig.send(host_event::Tick{});
  CHECK(rig.records<PurgeRecord>() == std::vector<PurgeRecord>{{accepted.batch}});
  CHECK(rig.state.batches.empty());
  CHECK(rig.state.submissions.empty());
}

TEST_CASE("many old batches leave over several turns") {
  HostRig rig;
  rig.join("node1", HostRig::facts(1));
  rig.submit();
  rig.orders("node1");
  for (int i = 0; i < 3; ++i) {
    const Accepted accepted = rig.submit({}, 30'000);
    rig.send(host_event::Control{ReplyToken{4}, host_event::Command::kill, accepted.batch.value});
  }
  rig.pass(std::chrono::hours(24 * 31));
  rig.send(host_event::Tick{});
  CHECK(rig.records<PurgeRecord>().size() == 2);
  rig.send(host_event::Tick{});
  CHECK(rig.records<PurgeRecord>().size() == 1);
  CHECK(rig.state.batches.size() == 1);
}

TEST_CASE("a second runner cannot take a name that is in use") {
  HostRig rig;
  rig.join("node1", HostRig::facts(1));
  rig.send(host_event::SayHello{ReplyToken{1}, {kNodeProtocolVersion, "node1", "someone-else", {}}});
  const auto refusal = std::get<NodeRefusal>(rig.actions<host_action::AnswerHello>().at(0).answer);
  CHECK(refusal.why == Refusal::name_taken);
}

TEST_CASE("a challenge is good for one registration") {
  HostRig rig;
  rig.join("node1", HostRig::facts(1));
  Registration again;
  again.node = "node1";
  again.runner_id = "runner-node1";
  again.epoch = rig.state.epoch;
  again.run = RunId{2};
  again.challenge = rig.state.last_challenge;
  rig.send(host_event::Register{ReplyToken{2}, again});
  CHECK(std::holds_alternative<NodeRefusal>(rig.actions<host_action::AnswerRegistration>().at(0).answer));
  CHECK(rig.state.nodes[0].run == RunId{1});
}

TEST_CASE("a host that meets a later epoch orders nothing") {
  HostRig rig;
  rig.join("node1", HostRig::facts(1));
  const BatchId batch = rig.submit({}, 2).batch;
  rig.send(host_event::SayHello{ReplyToken{1}, {kNodeProtocolVersion, "node1", "runner-node1", Epoch{2}}});
  CHECK(rig.state.superseded);
  rig.report("node1", {started(task_of(batch, 0)), ended(task_of(batch, 0), 1)});
  CHECK(rig.status(task_of(batch, 0)) == completed);
  CHECK(rig.status(task_of(batch, 1)) == pending);
  CHECK(rig.submit() == Accepted{});
  CHECK(rig.last_refusal.error.code == Errc::unavailable);
}

TEST_CASE("a recovered host knows what was ordered, what waits and what ended") {
  StoredState stored = stored_batch(100);
  stored.ends.push_back({TaskId{1001}, 1, completed});
  stored.assignments.push_back(
      OrderRecord{BatchId{1000}, TaskId{1001}, 4, Attempt{1}, "node1", HostRig::session(), RunId{1}});
  stored.assignments.push_back(ReturnRecord{BatchId{1000}, TaskId{1004}, 1, Attempt{2}, 1, "no space"});
  stored.kills.push_back({TaskId{1002}});
  NodeRecord node;
  node.name = "node1";
  node.runner_id = "runner-node1";
  node.session = HostRig::session();
  node.run = RunId{1};
  node.facts = HostRig::facts(2);
  stored.nodes.push_back(node);

  HostRig rig;
  rig.state = recover(stored, {}, rig.now);
  CHECK(broken_invariants(rig.state).empty());
  CHECK(rig.status(TaskId{1001}) == completed);
  CHECK(rig.status(TaskId{1002}) == assigning);
  CHECK(rig.status(TaskId{1004}) == pending);
  CHECK(rig.state.live.size() == 2);
  rig.runs["node1"] = 1;
  rig.join("node1", HostRig::facts(2), {held_attempt(TaskId{1002})});
  CHECK(rig.status(TaskId{1002}) == running);
  CHECK(rig.status(TaskId{1003}) == assigning);
  const auto orders = rig.orders("node1");
  REQUIRE(orders.size() == 2);
  CHECK(orders[0].kind == OrderKind::kill);
  CHECK(orders[1].first == TaskId{1003});

  const HostState restored = recover(stored, {}, rig.now, StoreTrust::restored);
  CHECK(broken_invariants(restored).empty());
  CHECK(restored.batches.at(BatchId{1000}).by_status[static_cast<std::size_t>(lost)] == 99);
  CHECK(records_of_restored(restored).size() == 4);
}

}  // namespace hakuriver::test
