// Where the tasks of a sweep may be, how many of a batch run at once, and the end of what waits.
#include "core/host_rig.hpp"
#include "hakuriver/host/views.hpp"

namespace hakuriver::test {

using enum TaskStatus;

namespace {

std::shared_ptr<TaskSpec> sweep_of(std::int64_t tasks) {
  CommandSweep commands({{{"work", std::nullopt, RunWord::none}}}, {"n"},
                        *Sweep::over({Axis(*Range::between(1, tasks, 1, {}))}, SweepOrder::first_slowest));
  auto spec = std::make_shared<TaskSpec>();
  spec->resources = {1000, 0};
  spec->sweep = *TaskSweep::make(std::move(commands));
  return spec;
}

Accepted submit(HostRig& rig, std::shared_ptr<const TaskSpec> spec, std::uint64_t count,
                std::vector<Target> targets = {}) {
  rig.send(host_event::Submit{ReplyToken{9}, {}, 7, std::move(targets), count, std::move(spec)});
  const auto answers = rig.actions<host_action::AnswerSubmission>();
  REQUIRE(answers.size() == 1);
  if (const auto* refused = std::get_if<Refused>(&answers[0].answer)) rig.last_refusal = *refused;
  const auto* accepted = std::get_if<Accepted>(&answers[0].answer);
  return accepted == nullptr ? Accepted{} : *accepted;
}

std::uint64_t tasks_of(const std::vector<Order>& orders) {
  std::uint64_t tasks = 0;
  for (const auto& order : orders) tasks += order.kind == OrderKind::start ? order.count : 0;
  return tasks;
}

NodeFacts with_numa(std::uint64_t cores) {
  NodeFacts facts = HostRig::facts(2 * cores);
  for (std::uint32_t id = 0; id < 2; ++id) {
    NumaNode numa;
    numa.id = id;
    for (std::uint32_t cpu = 0; cpu < cores; ++cpu) numa.cpus.push_back(id * static_cast<std::uint32_t>(cores) + cpu);
    facts.numa_nodes.push_back(std::move(numa));
  }
  return facts;
}

CommandAnswer kill_pending(HostRig& rig, std::uint64_t id) {
  rig.send(host_event::Control{ReplyToken{4}, host_event::Command::kill_pending, id});
  const auto answer = rig.actions<host_action::AnswerCommand>().at(0).answer;
  return answer ? *answer : CommandAnswer{};
}

}  // namespace

TEST_CASE("the tasks of a sweep go to whichever of its targets has room, and nowhere else") {
  HostRig rig;
  rig.join("node1", HostRig::facts(2));
  rig.join("node2", HostRig::facts(8));
  rig.join("node3", with_numa(3));
  const Accepted batch = submit(rig, sweep_of(9), 9, {{"node3", 1}, {"node1", std::nullopt}, {"nosuch", std::nullopt}});
  CHECK(batch.count == 9);
  CHECK(batch.failed_targets == std::vector<FailedTarget>{{"nosuch", "there is no node 'nosuch'"}});
  CHECK(tasks_of(rig.orders("node1")) == 2);
  CHECK(rig.orders("node2").empty());
  const auto bound = rig.orders("node3");
  CHECK(tasks_of(bound) == 3);
  for (const auto& order : bound) CHECK(order.numa_node == 1);
  CHECK(rig.state.nodes[2].numa_use.at(1).tasks == 3);
  const auto facts = facts_of(rig.state, task_of(batch.batch, 8), rig.now.monotonic);
  CHECK(facts->message == "each of its targets is busy");

  const TaskId there = bound[0].first;
  CHECK(facts_of(rig.state, there, rig.now.monotonic)->numa_node == 1);
  rig.report("node3", {started(there), ended(there, 1)});
  CHECK(rig.records<EndRecord>().at(0).numa_node == 1);
  CHECK(tasks_of(rig.orders("node3")) == 1);
  CHECK(rig.state.nodes[2].numa_use.at(1).tasks == 3);
}

TEST_CASE("a container that was nobody's wish is left out where no node has containers") {
  HostRig rig;
  rig.join("node1", HostRig::facts(2));
  TaskSpec spec;
  spec.argv = {"true"};
  const auto on_node = std::make_shared<const TaskSpec>(spec);
  spec.container = "box";
  const auto contained = std::make_shared<const TaskSpec>(spec);
  CHECK(submit(rig, contained, 1).count == 0);
  CHECK(rig.last_refusal.error.message.find("no containers") != std::string::npos);
  rig.send(host_event::Submit{ReplyToken{9}, {}, 7, {}, 1, contained, on_node});
  CHECK(tasks_of(rig.orders("node1")) == 1);

  NodeFacts facts = HostRig::facts(2);
  facts.containers = true;
  rig.join("node2", facts);
  rig.send(host_event::Submit{ReplyToken{9}, {}, 7, {}, 1, contained, on_node});
  CHECK(tasks_of(rig.orders("node2")) == 1);
}

TEST_CASE("a sweep of which no target can be is refused") {
  HostRig rig;
  rig.join("node1", HostRig::facts(2));
  CHECK(submit(rig, sweep_of(3), 3, {{"nosuch", std::nullopt}, {"node1", 7}}).count == 0);
  CHECK(rig.last_refusal.failed_targets.size() == 2);
  CHECK(rig.state.shapes.empty());
}

TEST_CASE("a batch that limits itself runs so many at once, and holds up nobody") {
  HostRig rig;
  rig.join("node1", HostRig::facts(4));
  rig.join("node2", HostRig::facts(4));
  auto spec = sweep_of(20);
  spec->max_running = 3;
  const Accepted limited = submit(rig, spec, 20);
  const Accepted second = submit(rig, spec, 20);
  const auto orders = [&rig] {
    auto all = rig.orders("node1");
    for (const auto& order : rig.orders("node2")) all.push_back(order);
    return all;
  };
  const auto first_orders = orders();
  CHECK(tasks_of(first_orders) == 6);
  CHECK(running_of(rig.state.batches.at(limited.batch)) == 3);
  CHECK(facts_of(rig.state, task_of(limited.batch, 19), rig.now.monotonic)->message ==
        "its batch runs 3 at once, as it may");
  submit(rig, sweep_of(5), 5);
  CHECK(tasks_of(orders()) == 2);

  const Order& order = first_orders[0];
  const std::string node = rig.state.nodes[rig.state.live.at(order.first).node].name;
  rig.report(node, {started(order.first), ended(order.first, 1)});
  CHECK(running_of(rig.state.batches.at(limited.batch)) <= 3);
  CHECK(running_of(rig.state.batches.at(second.batch)) == 3);
  rig.send(host_event::Control{ReplyToken{4}, host_event::Command::kill, limited.batch.value});
  CHECK(room_in(rig.state.batches.at(limited.batch)) <= 1);
}

TEST_CASE("a limit and shared targets outlive the host") {
  StoredState stored = stored_batch(10);
  stored.batches[0].targets = {{"node2", std::nullopt}, {"node1", std::nullopt}};
  stored.batches[0].shares_targets = true;
  stored.batches[0].max_running = 3;
  stored.assignments.emplace_back(OrderRecord{BatchId{1000}, TaskId{1001}, 2, Attempt{1}, "node1", {"j1", "b1"}, {}});
  NodeRecord node;
  node.name = "node1";
  node.runner_id = "runner-node1";
  node.session = HostRig::session();
  node.facts = HostRig::facts(8);
  stored.nodes.push_back(node);
  HostRig rig;
  rig.state = recover(stored, {}, rig.now);
  CHECK(rig.state.batches.at(BatchId{1000}).shapes.size() == 1);
  CHECK(running_of(rig.state.batches.at(BatchId{1000})) == 2);
  rig.join("node1", HostRig::facts(8), {held_attempt(TaskId{1001}), held_attempt(TaskId{1002})});
  CHECK(tasks_of(rig.orders("node1")) == 1);
  CHECK(running_of(rig.state.batches.at(BatchId{1000})) == 3);
}

TEST_CASE("what waits can be ended without what runs") {
  HostRig rig;
  rig.join("node1", HostRig::facts(2));
  const Accepted batch = rig.submit({}, 10);
  CHECK(tasks_of(rig.orders("node1")) == 2);
  rig.report("node1", {started(task_of(batch.batch, 0))});
  CHECK(kill_pending(rig, batch.batch.value) == CommandAnswer{8, 0});
  CHECK(rig.status(task_of(batch.batch, 0)) == running);
  CHECK(rig.status(task_of(batch.batch, 1)) == assigning);
  CHECK(rig.status(task_of(batch.batch, 9)) == killed);
  CHECK(rig.orders("node1").empty());
  CHECK(kill_pending(rig, batch.batch.value) == CommandAnswer{});
  CHECK(rig.actions<host_action::AnswerCommand>().at(0).answer.error().message ==
        "no task of batch " + to_string(batch.batch) + " is waiting");
  CHECK(kill_pending(rig, task_of(batch.batch, 0).value) == CommandAnswer{});
  rig.report("node1", {started(task_of(batch.batch, 1)), ended(task_of(batch.batch, 1), 1)});
  CHECK(rig.status(task_of(batch.batch, 1)) == completed);
}

TEST_CASE("what was ordered ahead ends when it comes back, and runs on where it has started") {
  HostRig rig;
  rig.join("node1", HostRig::facts(1));
  const Accepted batch = rig.submit({}, 3);
  rig.orders("node1");
  const TaskId first = task_of(batch.batch, 0);
  rig.state.nodes[0].ends_per_second = 1000;
  rig.report("node1", {started(first)});
  CHECK(tasks_of(rig.orders("node1")) == 2);
  CHECK(rig.state.nodes[0].ahead_count == 2);
  CHECK(kill_pending(rig, batch.batch.value) == CommandAnswer{0, 2});
  std::uint64_t withdrawn = 0;
  for (const auto& order : rig.orders("node1")) withdrawn += order.kind == OrderKind::withdraw ? order.count : 0;
  CHECK(withdrawn == 2);
  rig.report("node1", {ended(first, 1),
                       started(task_of(batch.batch, 1)),
                       {NodeEventKind::returned, held_attempt(task_of(batch.batch, 2))}});
  CHECK(rig.status(task_of(batch.batch, 1)) == running);
  CHECK(rig.status(task_of(batch.batch, 2)) == killed);
}

TEST_CASE("a task that waits because of another one's fault is told so") {
  HostRig rig;
  rig.join("node1", HostRig::facts(1));
  const TaskId task = task_of(rig.submit().batch, 0);
  REQUIRE(rig.orders("node1").size() == 1);
  rig.report("node1", {ended(task, 1, {OutcomeKind::never_started, 28}, 1)});
  const TaskId other = task_of(rig.submit().batch, 0);
  const auto why = [&rig, other] { return facts_of(rig.state, other, rig.now.monotonic)->message; };
  CHECK(why() == "every node holds back after a task that it could not start");
  rig.join("node2", HostRig::facts(1));
  rig.submit();
  CHECK(why() == "every node is busy");
}

}  // namespace hakuriver::test
