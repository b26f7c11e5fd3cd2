#include "core/host_rig.hpp"

namespace hakuriver::test {

namespace {

// A host that was told that its store is an older copy: tasks 1001 to 1004 of one batch are lost, nobody knows where.
HostRig restored_rig() {
  StoredState stored;
  stored.cluster_id = "c0ffee";
  stored.epoch = Epoch{2};
  stored.last_id = 5000;
  StoredBatch batch;
  batch.id = BatchId{1000};
  batch.count = 4;
  batch.requirements = requirements_of(TaskSpec{{"true"}, {}, {1000, 0}, {}, {}, {}, {}, false, false, false}, {});
  stored.batches.push_back(batch);
  HostRig rig;
  rig.state = recover(stored, {}, rig.now, StoreTrust::restored);
  return rig;
}

}  // namespace

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

}  // namespace hakuriver::test
