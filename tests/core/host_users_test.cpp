// Tasks that ask for a user, and tasks that reach their time limit, as the host sees them.
#include "core/host_rig.hpp"

using namespace hakuriver;
using namespace hakuriver::test;

namespace {

NodeFacts offering(std::vector<std::string> users) {
  NodeFacts facts = HostRig::facts(2);
  facts.users = std::move(users);
  return facts;
}

Accepted submit_as(HostRig& rig, const std::string& user, std::vector<Target> targets = {}) {
  auto spec = std::make_shared<TaskSpec>();
  spec->argv = {"true"};
  spec->user = user;
  const std::uint64_t count = std::max<std::size_t>(1, targets.size());
  rig.send(host_event::Submit{ReplyToken{9}, {}, 7, std::move(targets), count, std::move(spec)});
  const auto answers = rig.actions<host_action::AnswerSubmission>();
  REQUIRE(answers.size() == 1);
  if (const auto* refused = std::get_if<Refused>(&answers[0].answer)) rig.last_refusal = *refused;
  const auto* accepted = std::get_if<Accepted>(&answers[0].answer);
  return accepted == nullptr ? Accepted{} : *accepted;
}

}  // namespace

TEST_CASE("what a node offers of users: names, and everybody but root") {
  struct Row {
    std::vector<std::string> offered;
    std::string user;
    bool is_offered;
  };
  for (const auto& row : std::vector<Row>{{{}, "alice", false},
                                          {{"alice"}, "alice", true},
                                          {{"alice"}, "bob", false},
                                          {{"alice"}, "root", false},
                                          {{"root"}, "root", true},
                                          {{"*"}, "bob", true},
                                          {{"*"}, "root", false},
                                          {{"*", "root"}, "root", true}}) {
    CAPTURE(row.user);
    CHECK(offers_user(offering(row.offered), row.user) == row.is_offered);
  }
}

TEST_CASE("names that cannot be a user's are known as such") {
  for (const char* good : {"alice", "_apt", "a-b.c", "EXAMPLE\\alice", "alice@example.org", "x$", "\xC3\xA9ric"}) {
    CAPTURE(good);
    CHECK(is_user_name(good));
  }
  for (const char* bad : {"", "-x", "a b", "a:b", "a/b", "*", "a,b", "a\nb", "a\"b", "a'b", "a\x7F"}) {
    CAPTURE(bad);
    CHECK_FALSE(is_user_name(bad));
  }
  CHECK(is_user_name(std::string(kMaxUserBytes, 'x')));
  CHECK_FALSE(is_user_name(std::string(kMaxUserBytes + 1, 'x')));
}

TEST_CASE("a target that does not run tasks as the user is refused with that reason") {
  HostRig rig;
  rig.join("node1", offering({"alice"}));
  rig.join("node2", offering({"*"}));
  const Accepted accepted = submit_as(rig, "bob", {{"node1", {}}, {"node2", {}}});
  CHECK(accepted.count == 1);
  CHECK(accepted.failed_targets == std::vector<FailedTarget>{{"node1", "the node runs no tasks as user 'bob'"}});
  submit_as(rig, "root", {{"node2", {}}});
  CHECK(rig.last_refusal.error.message == "the node runs no tasks as user 'root'");
  submit_as(rig, "root");
  CHECK(rig.last_refusal.error.message == "the node runs no tasks as user 'root' (node 'node2')");
  CHECK(rig.out.records.empty());
}

TEST_CASE("without a target a task goes only where its user is offered, and waits for it there") {
  HostRig rig;
  rig.join("node1", offering({"alice"}));
  rig.join("node2", offering({"bob"}));
  std::vector<Accepted> all;
  for (int i = 0; i < 3; ++i) all.push_back(submit_as(rig, "bob"));
  CHECK(rig.orders("node2").size() >= 2);
  CHECK(rig.state.nodes[0].use.tasks == 0);
  CHECK(rig.state.nodes[1].use.tasks == 2);
  CHECK(rig.status(task_of(all[2].batch, 0)) == TaskStatus::pending);
  // Who asks for nobody goes anywhere.
  rig.submit();
  CHECK(rig.state.nodes[0].use.tasks == 1);
}

TEST_CASE("a task with a time limit or a niceness goes only where the runner knows of them") {
  for (const bool is_nice : {false, true}) {
    CAPTURE(is_nice);
    HostRig rig;
    rig.join("old", HostRig::facts(2));
    auto spec = std::make_shared<TaskSpec>();
    spec->argv = {"true"};
    spec->niceness = is_nice ? 3 : 0;
    spec->time_limit = std::chrono::minutes{is_nice ? 0 : 1};
    rig.send(host_event::Submit{ReplyToken{9}, {}, 7, {}, 1, spec});
    const auto refused = rig.actions<host_action::AnswerSubmission>().at(0).answer;
    REQUIRE(std::holds_alternative<Refused>(refused));
    CHECK(std::get<Refused>(refused).error.message ==
          "its runner is too old for a time limit or niceness (node 'old')");
    NodeFacts facts = HostRig::facts(1);
    facts.limits = true;
    rig.join("new", facts);
    rig.send(host_event::Submit{ReplyToken{9}, {}, 8, {}, 1, spec});
    CHECK(rig.orders("old").empty());
    CHECK(rig.orders("new").size() == 1);
  }
}

TEST_CASE("a recovered host still knows which user a task waits for") {
  StoredState stored = stored_batch(1);
  stored.batches[0].requirements.user = "bob";
  HostRig rig;
  rig.state = recover(stored, {}, rig.now);
  rig.join("node1", offering({"alice"}));
  CHECK(rig.state.nodes[0].use.tasks == 0);
  rig.join("node2", offering({"bob"}));
  CHECK(rig.state.nodes[1].use.tasks == 1);
}

TEST_CASE("a task that reached its time limit has failed, and one that was to be killed before is killed") {
  HostRig rig;
  rig.join("node1", HostRig::facts(2));
  const Accepted both = rig.submit({}, 2);
  rig.orders("node1");
  KeptAttempt asked = ended_attempt(task_of(both.batch, 1), 2, {OutcomeKind::signaled, 15});
  asked.by_request = true;
  rig.report("node1", {started(task_of(both.batch, 0)),
                       ended(task_of(both.batch, 0), 1, {OutcomeKind::timed_out, 0}),
                       started(task_of(both.batch, 1)),
                       {NodeEventKind::ended, asked}});
  CHECK(rig.status(task_of(both.batch, 0)) == TaskStatus::failed);
  CHECK(rig.status(task_of(both.batch, 1)) == TaskStatus::killed);
  CHECK(shell_status({OutcomeKind::timed_out, 0}) == 124);
}
