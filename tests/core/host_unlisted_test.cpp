#include "core/host_rig.hpp"
#include "hakuriver/host/views.hpp"

namespace hakuriver::test {
namespace {

using enum TaskStatus;

// Starts and ends short tasks on the node, so that it counts as fast. Returns how many ended.
std::uint64_t run_fast(HostRig& rig, const std::string& node, std::uint64_t reports) {
  std::uint64_t record = 0;
  for (std::uint64_t i = 0; i < reports; ++i) {
    std::vector<NodeEvent> events;
    for (const Order& order : rig.orders(node)) {
      if (order.kind != OrderKind::start) continue;
      for (std::uint64_t task = 0; task < order.count; ++task) {
        events.push_back(started(advance(order.first, task)));
        events.push_back(ended(advance(order.first, task), ++record));
      }
    }
    rig.pass(std::chrono::milliseconds(10));
    rig.report(node, events);
  }
  return record;
}

}  // namespace

TEST_CASE("nothing is ordered ahead to a node with attempts that only the host still counts, until it has rebooted") {
  HostRig rig;
  rig.join("node1", HostRig::facts(2));
  const TaskId held = task_of(rig.submit().batch, 0);
  rig.orders("node1");
  rig.report("node1", {started(held)});

  rig.join("node1", HostRig::facts(2), {}, HostRig::session("j2"));
  REQUIRE(rig.status(held) == lost);
  const NodeState& node = rig.state.nodes[0];
  CHECK(node.use.tasks == 1);
  CHECK(facts_of(rig.state, held, rig.now.monotonic)->message ==
        "node 'node1' has lost its record of it; the task may still run there");
  CHECK(view_of(rig.state, node, rig.now).note.rfind("has lost its record of tasks", 0) == 0);
  rig.submit({}, 1'000);
  CHECK(node.use.tasks == 2);
  CHECK(run_fast(rig, "node1", 50) > 40);
  CHECK(node.ends_per_second > 50);
  CHECK(node.ahead_count == 0);
  CHECK(node.use.tasks == 2);

  SUBCASE("nor in its next run") {
    std::vector<KeptAttempt> listed;
    for (const auto& [id, task] : rig.state.live) {
      if (task.status == assigning) listed.push_back(held_attempt(id));
    }
    rig.join("node1", HostRig::facts(2), listed, HostRig::session("j2"));
    rig.report("node1", {ended(listed.at(0).key.task, 1)});
    run_fast(rig, "node1", 50);
    CHECK(node.ends_per_second > 50);
    CHECK(node.ahead_count == 0);
  }
  SUBCASE("a reboot proves that they are gone") {
    rig.join("node1", HostRig::facts(2), {}, HostRig::session("j2", "b2"));
    CHECK(rig.status(held) == failed);
    CHECK(view_of(rig.state, node, rig.now).note.empty());
    run_fast(rig, "node1", 8);
    CHECK(node.ahead_count > 0);
  }
}

}  // namespace hakuriver::test
