#include "core/host_rig.hpp"

namespace hakuriver::test {

using enum TaskStatus;

TEST_CASE("a host that meets ever new requirements remembers those of unfinished batches only") {
  HostRig rig;
  rig.join("node1", HostRig::facts(1));
  rig.orders("node1");
  std::uint64_t record = 0;
  const auto run = [&](Accepted accepted) {
    const TaskId task = task_of(accepted.batch, 0);
    CHECK(rig.orders("node1").size() == 1);
    rig.report("node1", {started(task), ended(task, ++record)});
    CHECK(rig.status(task) == completed);
  };
  for (std::uint64_t bytes = 1; bytes <= 300; ++bytes) run(rig.submit({}, 1, {1000, bytes}));
  CHECK(rig.state.shapes.size() == 1);
  CHECK(rig.state.shape_index.empty());

  const Accepted long_one = rig.submit({}, 1, {1000, 7});
  CHECK(rig.orders("node1").size() == 1);
  const Accepted waiting = rig.submit({}, 2, {1000, 8});
  const Accepted same = rig.submit({}, 1, {1000, 8});
  CHECK(rig.state.shapes.size() == 2);
  rig.send(host_event::Control{ReplyToken{4}, host_event::Command::kill, waiting.batch.value});
  CHECK(rig.status(task_of(waiting.batch, 1)) == killed);
  CHECK(rig.state.shape_index.size() == 2);
  rig.report("node1", {started(task_of(long_one.batch, 0)), ended(task_of(long_one.batch, 0), ++record)});
  run(same);
  CHECK(rig.state.shape_index.empty());
  run(rig.submit({}, 1, {1000, 9}));
  CHECK(rig.state.shapes.size() == 2);
}

TEST_CASE("a batch with targets that is killed as a whole gives all of its shapes back") {
  HostRig rig;
  for (const char* node : {"node1", "node2", "node3"}) rig.join(node, HostRig::facts(1));
  rig.submit({}, 3);
  const Accepted waiting = rig.submit({Target{"node1", {}}, Target{"node2", {}}, Target{"node3", {}}});
  CHECK(rig.state.shapes.size() == 4);
  rig.send(host_event::Control{ReplyToken{4}, host_event::Command::kill, task_of(waiting.batch, 2).value});
  CHECK(rig.state.free_shapes.empty());
  rig.send(host_event::Control{ReplyToken{4}, host_event::Command::kill, waiting.batch.value});
  for (std::uint64_t i = 0; i < 3; ++i) CHECK(rig.status(task_of(waiting.batch, i)) == killed);
  CHECK(rig.state.free_shapes.size() == 3);
}

TEST_CASE("a recovered host has no shapes of finished batches") {
  StoredState stored;
  stored.cluster_id = "c0ffee";
  stored.epoch = Epoch{2};
  stored.last_id = 90'000;
  for (std::uint64_t id = 1'000; id <= 50'000; id += 1'000) {
    StoredBatch batch;
    batch.id = BatchId{id};
    batch.count = 1;
    batch.requirements.resources = {1000, id};
    stored.batches.push_back(batch);
    if (id < 50'000) stored.ends.push_back({TaskId{id + 1}, 1, completed});
  }
  HostRig rig;
  rig.state = recover(stored, {}, rig.now);
  CHECK(broken_invariants(rig.state).empty());
  CHECK(rig.state.shape_index.size() == 1);
  rig.join("node1", HostRig::facts(1));
  CHECK(rig.orders("node1").at(0).first == TaskId{50'001});
}

}  // namespace hakuriver::test
