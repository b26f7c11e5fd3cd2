// What a host orders ahead of free places, and how it gets that back.
#include "core/host_rig.hpp"

namespace hakuriver::test {

using enum TaskStatus;

TEST_CASE("fast nodes are ordered more than they have places, and give back what is stuck") {
  HostRig rig;
  rig.join("node1", HostRig::facts(1));
  const Accepted batch = rig.submit({}, 1000);
  std::uint64_t done = 0;
  for (int round = 0; round < 20; ++round) {
    rig.orders("node1");
    rig.pass(std::chrono::milliseconds(10));
    std::vector<NodeEvent> events;
    for (std::uint64_t i = done; events.size() < 20 && rig.state.live.count(task_of(batch.batch, i)) != 0; ++i) {
      events.push_back(started(task_of(batch.batch, i)));
      events.push_back(ended(task_of(batch.batch, i), ++done));
    }
    rig.report("node1", events);
  }
  CHECK(done > 100);
  CHECK(rig.state.nodes[0].ahead_count > 5);
  const auto ahead = rig.state.nodes[0].ahead_count;
  rig.orders("node1");
  rig.tick_for(std::chrono::seconds(3));
  std::uint64_t withdrawn = 0;
  std::vector<NodeEvent> returned;
  for (const Order& order : rig.orders("node1")) {
    if (order.kind != OrderKind::withdraw) continue;
    withdrawn += order.count;
    for (std::uint64_t i = 0; i < order.count; ++i) {
      returned.push_back({NodeEventKind::returned, held_attempt(advance(order.first, i))});
    }
  }
  CHECK(withdrawn == ahead);
  rig.report("node1", returned);
  CHECK(rig.state.nodes[0].ahead_count == 0);
}

TEST_CASE("orders that an agent did not take before it stopped are taken back at its goodbye") {
  HostRig rig;
  rig.join("node1", HostRig::facts(3));
  const TaskId first = task_of(rig.submit().batch, 0);
  CHECK(rig.orders("node1").size() == 1);
  rig.report("node1", {started(first)});
  const TaskId taken = task_of(rig.submit().batch, 0);
  const TaskId untaken = task_of(rig.submit().batch, 0);
  const Goodbye goodbye{"node1", rig.state.epoch, RunId{rig.runs["node1"]}, 2};
  rig.send(host_event::SayGoodbye{ReplyToken{6}, goodbye});
  CHECK(rig.status(first) == running);
  CHECK(rig.status(taken) == assigning);
  CHECK(rig.status(untaken) == pending);
  REQUIRE(rig.records<ReturnRecord>().size() == 1);
  CHECK(rig.records<ReturnRecord>()[0].attempt == Attempt{1});
  rig.send(host_event::SayGoodbye{ReplyToken{6}, goodbye});
  CHECK(rig.records<ReturnRecord>().empty());
  rig.join("node2", HostRig::facts(1));
  const auto orders = rig.orders("node2");
  REQUIRE(orders.size() == 1);
  CHECK(orders[0].first == untaken);
  // A goodbye of an earlier run changes nothing.
  rig.join("node1", HostRig::facts(3), {held_attempt(first), held_attempt(taken)});
  const TaskId later = task_of(rig.submit().batch, 0);
  rig.send(host_event::SayGoodbye{ReplyToken{6}, goodbye});
  CHECK(rig.status(later) == assigning);
}

TEST_CASE("tasks that are ordered ahead and taken back for ever cost a few records for each task that ends") {
  HostRig rig;
  rig.join("node1", HostRig::facts(1));
  rig.submit({}, 1'000);
  std::vector<TaskId> queue;
  std::uint64_t ends = 0;
  std::uint64_t returns = 0;
  const auto obey = [&] {
    for (const Order& order : rig.orders("node1")) {
      for (std::uint64_t i = 0; i < order.count; ++i) {
        const TaskId task = advance(order.first, i);
        const auto known = std::find(queue.begin(), queue.end(), task);
        if (order.kind == OrderKind::start) queue.push_back(task);
        if (order.kind != OrderKind::withdraw || known == queue.end()) continue;
        queue.erase(known);
        ++returns;
        rig.report("node1", {{NodeEventKind::returned, held_attempt(task)}});
      }
    }
  };
  const auto run_one = [&](std::chrono::milliseconds length) {
    obey();
    REQUIRE(!queue.empty());
    const TaskId task = queue.front();
    queue.erase(queue.begin());
    rig.report("node1", {started(task)});
    for (; length > std::chrono::seconds(1); length -= std::chrono::seconds(1)) {
      rig.tick_for(std::chrono::seconds(1));
      obey();
    }
    rig.pass(length);
    rig.report("node1", {ended(task, ++ends)});
  };
  for (int cycle = 0; cycle < 8; ++cycle) {
    for (int i = 0; i < 20; ++i) run_one(std::chrono::milliseconds(5));
    run_one(std::chrono::seconds(4));
  }
  const auto orders_and_returns = std::count_if(rig.written.begin(), rig.written.end(), [](const StoreRecord& record) {
    return std::holds_alternative<OrderRecord>(record) || std::holds_alternative<ReturnRecord>(record);
  });
  MESSAGE(ends, " ends, ", returns, " returns, ", orders_and_returns, " records of orders and returns");
  CHECK(returns > 20);
  CHECK(static_cast<std::uint64_t>(orders_and_returns) <= 4 * ends);
}

}  // namespace hakuriver::test
