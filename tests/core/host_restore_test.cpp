#include "core/host_rig.hpp"
#include "hakuriver/host/views.hpp"

namespace hakuriver::test {

namespace {

// A host that was told that its store is an older copy: tasks 1001 to 1004 of one batch are lost, nobody knows where.
HostRig restored_rig() {
  StoredState stored = stored_batch(4);
  HostRig rig;
  rig.state = recover(stored, {}, rig.now, StoreTrust::restored);
  return rig;
}

// A host that was started with the copy as if it were the database: it remembers node1, whose record 5 was the last
// that it confirmed, and that task 1001 was ordered there.
HostRig rig_of_unnoticed_copy(StoreTrust trust = StoreTrust::complete) {
  StoredState stored = stored_batch(4);
  stored.nodes.push_back({"node1", "runner-node1", HostRig::session(), RunId{9}, 5, false, HostRig::facts(1)});
  stored.assignments.emplace_back(
      OrderRecord{BatchId{1000}, TaskId{1001}, 1, Attempt{1}, "node1", HostRig::session(), RunId{9}});
  HostRig rig;
  rig.state = recover(stored, {}, rig.now, trust);
  return rig;
}

}  // namespace

TEST_CASE("a node proves that the database is an old copy, and from then on nothing is ordered or judged") {
  struct Row {
    const char* what;
    std::vector<KeptAttempt> attempts;
    std::uint64_t confirmed;
    const char* said;  // empty: it proves nothing
  };
  const Row rows[] = {
      {"more was confirmed than is known", {}, 6, "was told that its 6 records are committed, and 5 are"},
      {"as much was confirmed as is known", {held_attempt(TaskId{1001})}, 5, ""},
      {"less was confirmed, for the answer was lost", {held_attempt(TaskId{1001})}, 3, ""},
      {"a task runs that waits", {held_attempt(TaskId{1002})}, 5, "holds attempt 1 of task 1002, of which no order"},
      {"a task ended that waits", {ended_attempt(TaskId{1003}, 6)}, 5, "holds attempt 1 of task 1003"},
      {"a later attempt", {held_attempt(TaskId{1001}, 2)}, 5, "holds attempt 2 of task 1001"},
      {"a task of a later batch is left alone", {held_attempt(TaskId{9001})}, 5, ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    HostRig rig = rig_of_unnoticed_copy();
    const auto answer = rig.begin_run("node1", HostRig::facts(1), row.attempts, HostRig::session(), row.confirmed);
    const bool is_proof = row.said[0] != 0;
    CHECK(rig.state.superseded == is_proof);
    CHECK(std::holds_alternative<NodeRefusal>(answer) == is_proof);
    if (!is_proof) continue;
    CHECK(std::get<NodeRefusal>(answer).why == Refusal::old_copy);
    CHECK(rig.out.records.empty());
    REQUIRE(rig.actions<host_action::Note>().size() == 1);
    CHECK(rig.actions<host_action::Note>()[0].text.find(row.said) != std::string::npos);
    CHECK(rig.actions<host_action::Note>()[0].text.find("--accept-restore") != std::string::npos);
    rig.send(host_event::SayHello{ReplyToken{1}, {kNodeProtocolVersion, "node2", "runner-node2", {}}});
    CHECK(std::holds_alternative<NodeRefusal>(rig.actions<host_action::AnswerHello>().at(0).answer));
    CHECK(rig.actions<host_action::Note>().empty());
    for (const std::uint64_t id : {1001U, 1002U}) {
      rig.send(host_event::Control{ReplyToken{4}, host_event::Command::kill, id});
      CHECK(rig.actions<host_action::AnswerCommand>().at(0).answer.error().code == Errc::unavailable);
    }
    rig.send(host_event::ControlNode{ReplyToken{5}, host_event::NodeCommand::forget, "node1"});
    CHECK(rig.actions<host_action::AnswerCommand>().at(0).answer.error().code == Errc::unavailable);
    CHECK(rig.submit() == Accepted{});
    CHECK(rig.last_refusal.error.code == Errc::unavailable);
    CHECK(rig.out.records.empty());
  }
}

TEST_CASE("a task that another node holds as the same attempt proves that the database is an old copy") {
  HostRig rig = rig_of_unnoticed_copy();
  rig.join("node1", HostRig::facts(1), {held_attempt(TaskId{1001})});
  const auto answer = rig.begin_run("node2", HostRig::facts(1), {held_attempt(TaskId{1001})}, HostRig::session("j2"));
  CHECK(std::holds_alternative<NodeRefusal>(answer));
  CHECK(rig.state.superseded);
  CHECK(rig.orders("node1").empty());
}

TEST_CASE("what nodes did since the copy is not held against a host that was told of it, nor against its next start") {
  HostRig rig = rig_of_unnoticed_copy(StoreTrust::restored);
  const auto records = records_of_restored(rig.state);
  REQUIRE(std::holds_alternative<NodeRecord>(records.at(0)));
  CHECK(std::get<NodeRecord>(records[0]).session == Session{});
  rig.begin_run("node1", HostRig::facts(1), {held_attempt(TaskId{1002})}, HostRig::session(), 7);
  CHECK_FALSE(rig.state.superseded);
  CHECK(rig.status(TaskId{1002}) == TaskStatus::running);
  CHECK(rig.state.nodes[0].confirmed == 7);
}

TEST_CASE("after a restore a node's list tells what became of lost tasks, also of those that have ended") {
  HostRig rig = restored_rig();
  KeptAttempt no_space = ended_attempt(TaskId{1003}, 2, {OutcomeKind::never_started, 28});
  rig.join("node1", HostRig::facts(4),
           {ended_attempt(TaskId{1001}, 1, {OutcomeKind::exited, 3}), no_space, held_attempt(TaskId{1002}, 2)});
  CHECK(rig.status(TaskId{1001}) == TaskStatus::failed);
  CHECK(rig.status(TaskId{1002}) == TaskStatus::running);
  CHECK(rig.state.live.at(TaskId{1002}).attempt == Attempt{2});
  CHECK(rig.status(TaskId{1003}) == TaskStatus::lost);
  CHECK(rig.status(TaskId{1004}) == TaskStatus::lost);
  CHECK(rig.state.nodes[0].use.tasks == 1);
  CHECK(broken_invariants(rig.state).empty());
}

TEST_CASE("after a restore the last listed attempt of a task counts") {
  HostRig rig = restored_rig();
  rig.join("node1", HostRig::facts(4),
           {ended_attempt(TaskId{1001}, 1, {OutcomeKind::never_started, 28}), held_attempt(TaskId{1001}, 2)});
  CHECK(rig.status(TaskId{1001}) == TaskStatus::running);
  CHECK(rig.state.live.at(TaskId{1001}).attempt == Attempt{2});
}

TEST_CASE("a recovered batch of one task waits, is ordered, has ended, or is lost with a restored store") {
  const Session session = HostRig::session();
  const OrderRecord order{BatchId{1000}, TaskId{1001}, 1, Attempt{1}, "node1", session, RunId{9}};
  StoredState waiting = stored_batch(1);
  waiting.nodes.push_back({"node1", "runner-node1", session, RunId{9}, 5, false, HostRig::facts(1)});
  waiting.batches[0].submission_id = "once";
  StoredState ordered = waiting;
  ordered.assignments.emplace_back(order);
  StoredState over = ordered;
  over.ends.push_back({TaskId{1001}, 1, TaskStatus::killed});
  struct Row {
    const StoredState& stored;
    StoreTrust trust;
    TaskStatus status;
  };
  const Row rows[] = {
      {waiting, StoreTrust::complete, TaskStatus::pending},   {waiting, StoreTrust::restored, TaskStatus::lost},
      {ordered, StoreTrust::complete, TaskStatus::assigning}, {ordered, StoreTrust::restored, TaskStatus::lost},
      {over, StoreTrust::complete, TaskStatus::killed},       {over, StoreTrust::restored, TaskStatus::killed}};
  for (const Row& row : rows) {
    HostRig rig;
    rig.state = recover(row.stored, {}, rig.now, row.trust);
    CHECK(broken_invariants(rig.state).empty());
    CHECK(rig.status(TaskId{1001}) == row.status);
    CHECK(rig.state.heads.empty() == (row.status != TaskStatus::pending));
    CHECK(rig.state.live.empty() == (row.status != TaskStatus::lost && row.status != TaskStatus::assigning));
    CHECK(view_of(rig.state.batches.at(BatchId{1000})).by_status.at(static_cast<std::size_t>(row.status)) == 1);
    REQUIRE(find_submission(rig.state, "once") != nullptr);
    CHECK(find_submission(rig.state, "once")->id == BatchId{1000});
    CHECK(find_submission(rig.state, "twice") == nullptr);
  }
}

}  // namespace hakuriver::test
