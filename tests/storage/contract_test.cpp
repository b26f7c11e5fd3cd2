// What every task store promises (hakuriver/task_store.hpp).
#include <doctest/doctest.h>

#include <vector>

#include "storage/rigs.hpp"
#include "storage/samples.hpp"

using namespace hakuriver;
using namespace hakuriver::test;

#define EVERY_STORE SqliteRig, MemoryRig

namespace {

template <class Rig>
struct Opened {
  Rig rig;
  std::unique_ptr<TaskStore> store = rig.open();
  StoredState first = loaded(*store);

  // What is there after the store was closed and opened again.
  StoredState reopened() {
    store.reset();
    store = rig.open();
    return loaded(*store);
  }
};

constexpr BatchId kBatch{1000};
constexpr BatchId kOther{2000};

}  // namespace

TEST_CASE_TEMPLATE("a new store is empty and has a name", Rig, EVERY_STORE) {
  Opened<Rig> opened;
  const StoredState& state = opened.first;
  CHECK(state.cluster_id.size() == 32);
  CHECK(state.cluster_id.find_first_not_of("0123456789abcdef") == std::string::npos);
  CHECK(state.epoch == Epoch{1});
  CHECK(state.last_id == 0);
  CHECK(state.batches.empty());
  CHECK(state.assignments.empty());
  CHECK(state.ends.empty());
  CHECK(state.kills.empty());
  CHECK(state.nodes.empty());
  CHECK(Rig().open()->load()->cluster_id != state.cluster_id);
}

TEST_CASE_TEMPLATE("the epoch is raised once for each opening, the name stays", Rig, EVERY_STORE) {
  Opened<Rig> opened;
  CHECK(loaded(*opened.store).epoch == Epoch{1});
  const StoredState second = opened.reopened();
  CHECK(second.epoch == Epoch{2});
  CHECK(second.cluster_id == opened.first.cluster_id);
  CHECK(loaded(*opened.store).epoch == Epoch{2});
}

TEST_CASE_TEMPLATE("a batch comes back as it was given", Rig, EVERY_STORE) {
  Opened<Rig> opened;
  BatchRecord batch = sample_batch(kBatch.value, 3, "\xc3\x28 not UTF-8");
  batch.submission_id = "\xff id";
  batch.targets = {{"node1", std::nullopt}, {"node2", 0}, {"node2", 1}};
  batch.failed_targets = {{"node9", "there is no node 'node9'"}, {"\xfe", "not a \"name\""}};
  commit(*opened.store, {batch});

  const StoredState state = opened.reopened();
  REQUIRE(state.batches.size() == 1);
  const StoredBatch& stored = state.batches[0];
  CHECK(stored.id == kBatch);
  CHECK(stored.count == 3);
  CHECK(stored.submission_id == batch.submission_id);
  CHECK(stored.content_digest == batch.content_digest);
  CHECK(stored.submitted_at == batch.submitted_at);
  CHECK(stored.targets == batch.targets);
  CHECK(stored.failed_targets == batch.failed_targets);
  CHECK(stored.requirements == requirements_of(*batch.spec));
  CHECK(state.last_id == kBatch.value + 3);

  const auto reader = opened.rig.reader();
  const auto read = reader->batch(kBatch);
  REQUIRE(read);
  CHECK(same_batch(*read, batch));
  CHECK(**reader->spec(kBatch) == *batch.spec);
}

TEST_CASE_TEMPLATE("what a spec requires is known without its text", Rig, EVERY_STORE) {
  Opened<Rig> opened;
  std::vector<StoreRecord> records;
  for (std::uint64_t i = 0; i < 8; ++i) {
    BatchRecord batch = sample_batch(kBatch.value + 10 * i, 1);
    TaskSpec spec = *batch.spec;
    if (i & 1U) spec.container = "image";
    spec.private_network = (i & 2U) != 0;
    spec.private_pid = (i & 4U) != 0;
    spec.max_running = i;
    if (i & 2U) spec.user = "user" + std::to_string(i);
    if (i & 2U) spec.sweep = sample_sweep();
    batch.targets = {{"node1", std::nullopt}, {"node2", 0}};
    batch.spec = std::make_shared<const TaskSpec>(std::move(spec));
    records.emplace_back(batch);
  }
  commit(*opened.store, records);
  const StoredState state = loaded(*opened.store);
  REQUIRE(state.batches.size() == 8);
  for (std::size_t i = 0; i < 8; ++i) {
    const auto& batch = std::get<BatchRecord>(records[i]);
    CHECK(state.batches[i].requirements == requirements_of(*batch.spec));
    CHECK(state.batches[i].shares_targets == shares_targets(*batch.spec));
    CHECK(state.batches[i].max_running == batch.spec->max_running);
    CHECK(opened.rig.reader()->task(task_of(batch.id, 0))->target.has_value() != shares_targets(*batch.spec));
  }
}

TEST_CASE_TEMPLATE("assignments come back in the order of writing", Rig, EVERY_STORE) {
  Opened<Rig> opened;
  const std::vector<std::variant<OrderRecord, ReturnRecord>> written{
      sample_order(kOther, 0, 2),
      sample_order(kBatch, 0, 5),
      sample_return(kBatch, 1, 3),
      sample_order(kBatch, 1, 1, "node2"),
      sample_return(kOther, 1),
      OrderRecord{kBatch, task_of(kBatch, 5), 4, Attempt{1}, "", {}, {}},  // nobody knows where
      ReturnRecord{kOther, task_of(kOther, 0), 1, Attempt{9}, 0, ""},
  };
  std::vector<StoreRecord> records{sample_batch(kBatch.value, 10), sample_batch(kOther.value, 10)};
  commit(*opened.store, records);
  for (std::size_t i = 0; i < written.size(); ++i) {
    // Some in one commit, some in commits of their own, some after a restart.
    commit(*opened.store, {std::visit([](const auto& one) { return StoreRecord(one); }, written[i])});
    if (i == 3) opened.reopened();
  }
  CHECK(loaded(*opened.store).assignments == written);
  CHECK(opened.reopened().assignments == written);
}

TEST_CASE_TEMPLATE("an end is there for the owner and for readers", Rig, EVERY_STORE) {
  Opened<Rig> opened;
  EndRecord second = sample_end(kBatch, 1, "node2");
  second.message = "\xfftext of any bytes";
  EndRecord third = sample_end(kBatch, 2);
  third.numa_node.reset();
  third.node.clear();
  third.status = TaskStatus::killed_oom;
  third.outcome = {OutcomeKind::oom_killed, 9};
  commit(*opened.store, {sample_batch(kBatch.value, 4), sample_order(kBatch, 0, 4)});
  commit(*opened.store, {third, sample_end(kBatch, 0)});
  commit(*opened.store, {second});

  const StoredState state = opened.reopened();
  REQUIRE(state.ends.size() == 3);
  CHECK(state.ends[1].first == task_of(kBatch, 1));
  CHECK(state.ends[1].count == 1);
  CHECK(state.ends[1].status == TaskStatus::failed);
  CHECK(state.ends[2].status == TaskStatus::killed_oom);

  const auto reader = opened.rig.reader();
  const auto ends = reader->ends(kBatch, task_of(kBatch, 0), task_of(kBatch, 3), 100);
  REQUIRE(ends);
  CHECK(*ends == std::vector<EndRecord>{sample_end(kBatch, 0), second, third});
  CHECK(reader->task(task_of(kBatch, 1))->end == second);
  CHECK(reader->task(task_of(kBatch, 3))->end == std::nullopt);
}

TEST_CASE_TEMPLATE("a range ends as one", Rig, EVERY_STORE) {
  Opened<Rig> opened;
  const EndRecord range = sample_range_end(kBatch, 2, 5);
  commit(*opened.store, {sample_batch(kBatch.value, 10), sample_end(kBatch, 1), range, sample_end(kBatch, 8)});
  const StoredState state = loaded(*opened.store);
  REQUIRE(state.ends.size() == 3);
  CHECK(state.ends[1].first == task_of(kBatch, 2));
  CHECK(state.ends[1].count == 5);

  const auto reader = opened.rig.reader();
  CHECK(reader->task(task_of(kBatch, 1))->end == sample_end(kBatch, 1));
  for (std::uint64_t index = 2; index < 7; ++index) CHECK(reader->task(task_of(kBatch, index))->end == range);
  CHECK(reader->task(task_of(kBatch, 7))->end == std::nullopt);
}

TEST_CASE_TEMPLATE("ends are read by range and limit", Rig, EVERY_STORE) {
  Opened<Rig> opened;
  commit(*opened.store, {sample_batch(kBatch.value, 10), sample_batch(kBatch.value + 11, 10),
                         sample_end(BatchId{kBatch.value + 11}, 0)});
  commit(*opened.store,
         {sample_range_end(kBatch, 2, 3), sample_end(kBatch, 0), sample_end(kBatch, 5), sample_end(kBatch, 9)});
  const auto reader = opened.rig.reader();
  const auto firsts = [&](std::uint64_t first, std::uint64_t last, std::uint32_t limit) {
    std::vector<std::uint64_t> indices;
    const auto ends = reader->ends(kBatch, task_of(kBatch, first), task_of(kBatch, last), limit);
    for (const auto& end : *ends) indices.push_back(end.first.value - kBatch.value - 1);
    return indices;
  };
  using Indices = std::vector<std::uint64_t>;
  CHECK(firsts(0, 9, 100) == Indices{0, 2, 5, 9});
  CHECK(firsts(0, 9, 2) == Indices{0, 2});
  CHECK(firsts(1, 8, 100) == Indices{2, 5});
  CHECK(firsts(3, 4, 100) == Indices{2});  // within the range
  CHECK(firsts(6, 8, 100).empty());
  CHECK(firsts(5, 5, 100) == Indices{5});
  CHECK(firsts(0, 100, 100) == Indices{0, 2, 5, 9});  // not the next batch's
  CHECK(reader->ends(BatchId{999}, TaskId{1}, TaskId{2}, 1).error().code == Errc::not_found);
}

TEST_CASE_TEMPLATE("a batch that is all final needs no assignments and no kills", Rig, EVERY_STORE) {
  Opened<Rig> opened;
  commit(*opened.store, {sample_batch(kBatch.value, 4), sample_batch(kOther.value, 1), sample_order(kBatch, 0, 4),
                         sample_return(kBatch, 3), sample_order(kOther, 0), KillRecord{task_of(kBatch, 3)},
                         KillRecord{task_of(kOther, 0)}});
  commit(*opened.store, {sample_end(kBatch, 0), sample_range_end(kBatch, 1, 2)});
  StoredState state = loaded(*opened.store);
  CHECK(state.assignments.size() == 3);
  CHECK(state.kills.size() == 2);

  commit(*opened.store, {sample_end(kBatch, 3)});
  state = loaded(*opened.store);
  REQUIRE(state.assignments.size() == 1);
  CHECK(std::get<OrderRecord>(state.assignments[0]) == sample_order(kOther, 0));
  CHECK(state.kills == std::vector<KillRecord>{{task_of(kOther, 0)}});

  commit(*opened.store, {sample_end(kOther, 0)});
  state = opened.reopened();
  CHECK(state.assignments.empty());
  CHECK(state.kills.empty());
  CHECK(state.ends.size() == 4);
}

TEST_CASE_TEMPLATE("a whole life may be one commit", Rig, EVERY_STORE) {
  Opened<Rig> opened;
  commit(*opened.store, {sample_batch(kBatch.value, 2), sample_order(kBatch, 0, 2), KillRecord{task_of(kBatch, 1)},
                         sample_end(kBatch, 0), sample_end(kBatch, 1)});
  const StoredState state = loaded(*opened.store);
  CHECK(state.assignments.empty());
  CHECK(state.kills.empty());
  CHECK(state.ends.size() == 2);
}

TEST_CASE_TEMPLATE("kills are those of tasks that are not final", Rig, EVERY_STORE) {
  Opened<Rig> opened;
  commit(*opened.store, {sample_batch(kBatch.value, 9), KillRecord{task_of(kBatch, 1)}, KillRecord{task_of(kBatch, 2)},
                         KillRecord{task_of(kBatch, 5)}, KillRecord{task_of(kBatch, 8)}});
  commit(*opened.store, {KillRecord{task_of(kBatch, 1)}, sample_end(kBatch, 2), sample_range_end(kBatch, 4, 3)});
  CHECK(opened.reopened().kills == std::vector<KillRecord>{{task_of(kBatch, 1)}, {task_of(kBatch, 8)}});
}

TEST_CASE_TEMPLATE("nodes are kept as they last were", Rig, EVERY_STORE) {
  Opened<Rig> opened;
  NodeRecord changed = sample_node("node1");
  changed.session.boot_id = "another";
  changed.run = RunId{4};
  changed.confirmed = 0;
  changed.drained = true;
  commit(*opened.store, {sample_node("node2"), sample_node("node1"), sample_node("node3")});
  commit(*opened.store, {changed, ConfirmRecord{"node2", 99}, ForgetNodeRecord{"node3"}});
  NodeRecord confirmed = sample_node("node2");
  confirmed.confirmed = 99;
  CHECK(opened.reopened().nodes == std::vector<NodeRecord>{changed, confirmed});
  // A node that comes back after it was forgotten starts as it says.
  commit(*opened.store, {sample_node("node3")});
  CHECK(loaded(*opened.store).nodes[2] == sample_node("node3"));
}

TEST_CASE_TEMPLATE("a purged batch leaves nothing but the highest id", Rig, EVERY_STORE) {
  Opened<Rig> opened;
  commit(*opened.store, {sample_batch(kBatch.value, 3), sample_batch(kOther.value, 1), sample_batch(3000, 5)});
  commit(*opened.store, {sample_range_end(kBatch, 0, 3), sample_end(kOther, 0), sample_range_end(BatchId{3000}, 0, 5)});
  const auto reader = opened.rig.reader();
  CHECK(reader->task(task_of(kBatch, 0)));
  commit(*opened.store, {PurgeRecord{kBatch}, PurgeRecord{BatchId{3000}}, PurgeRecord{BatchId{4000}}});

  const StoredState state = opened.reopened();
  REQUIRE(state.batches.size() == 1);
  CHECK(state.batches[0].id == kOther);
  REQUIRE(state.ends.size() == 1);
  CHECK(state.ends[0].first == task_of(kOther, 0));
  CHECK(state.last_id == 3005);
  CHECK(reader->task(task_of(kBatch, 0)).error().code == Errc::not_found);
  CHECK(reader->batch(kBatch).error().code == Errc::not_found);
  CHECK(reader->spec(kBatch).error().code == Errc::not_found);
  // Its submission id is free again.
  BatchRecord again = sample_batch(5000, 1);
  again.submission_id = "submission-1000";
  commit(*opened.store, {again});
  CHECK(opened.reopened().last_id == 5001);
}

TEST_CASE_TEMPLATE("batches are read newest first, in pages and by name", Rig, EVERY_STORE) {
  Opened<Rig> opened;
  std::vector<StoreRecord> records;
  for (std::uint64_t i = 1; i <= 6; ++i) records.emplace_back(sample_batch(100 * i, 1, i % 2 == 0 ? "even" : ""));
  commit(*opened.store, records);
  const auto reader = opened.rig.reader();
  const auto ids = [&](const BatchFilter& filter) {
    std::vector<std::uint64_t> found;
    const auto batches = reader->batches(filter);
    for (const auto& batch : *batches) found.push_back(batch.id.value);
    return found;
  };
  using Ids = std::vector<std::uint64_t>;
  CHECK(ids({}) == Ids{600, 500, 400, 300, 200, 100});
  CHECK(ids({"", BatchId{}, 2}) == Ids{600, 500});
  CHECK(ids({"", BatchId{500}, 2}) == Ids{400, 300});
  CHECK(ids({"even", BatchId{}, 100}) == Ids{600, 400, 200});
  CHECK(ids({"even", BatchId{600}, 1}) == Ids{400});
  CHECK(ids({"eve", BatchId{}, 100}).empty());
  CHECK(same_batch((*reader->batches({"even", BatchId{}, 1}))[0], std::get<BatchRecord>(records[5])));
}

TEST_CASE_TEMPLATE("a task is found by its id alone", Rig, EVERY_STORE) {
  Opened<Rig> opened;
  BatchRecord spread = sample_batch(kBatch.value, 3);
  spread.targets = {{"node1", 0}, {"node2", std::nullopt}, {"node3", 7}};
  BatchRecord one = sample_batch(kOther.value, 2, "other");
  one.targets = {{"node5", std::nullopt}};
  commit(*opened.store, {spread, one, sample_batch(3000, 1)});
  const auto reader = opened.rig.reader();
  const auto task = reader->task(task_of(kBatch, 2));
  REQUIRE(task);
  CHECK(task->id == task_of(kBatch, 2));
  CHECK(task->batch == kBatch);
  CHECK(task->index == 2);
  CHECK(task->submitted_at == spread.submitted_at);
  CHECK(task->target == Target{"node3", 7});
  CHECK(*task->spec == *spread.spec);
  CHECK(reader->task(task_of(kOther, 1))->target == Target{"node5", std::nullopt});
  CHECK(reader->task(TaskId{3001})->target == std::nullopt);
  CHECK(reader->task(task_of(kOther, 1))->spec->name == "other");
  for (const std::uint64_t none : {std::uint64_t{1}, kBatch.value, kBatch.value + 4, std::uint64_t{3002}}) {
    CHECK(reader->task(TaskId{none}).error().code == Errc::not_found);
  }
}

TEST_CASE_TEMPLATE("an open reader sees what is committed later", Rig, EVERY_STORE) {
  Opened<Rig> opened;
  const auto reader = opened.rig.reader();
  CHECK(reader->batch(kBatch).error().code == Errc::not_found);
  commit(*opened.store, {sample_batch(kBatch.value, 2)});
  CHECK(reader->batch(kBatch));
  CHECK(reader->task(task_of(kBatch, 0))->end == std::nullopt);
  commit(*opened.store, {sample_end(kBatch, 0)});
  CHECK(reader->task(task_of(kBatch, 0))->end == sample_end(kBatch, 0));
}

TEST_CASE_TEMPLATE("a commit that contradicts the store changes nothing and asks for a load", Rig, EVERY_STORE) {
  Opened<Rig> opened;
  commit(*opened.store, {sample_batch(kBatch.value, 2), sample_end(kBatch, 1)});
  BatchRecord doubled = sample_batch(kOther.value, 1);
  doubled.submission_id = "submission-1000";
  const std::vector<StoreRecord> contradictions{doubled, sample_batch(kBatch.value, 7), sample_end(kBatch, 1)};
  for (const StoreRecord& contradiction : contradictions) {
    CHECK_FALSE(opened.store->commit({sample_node("node1"), contradiction}));
    const Status early = opened.store->commit({sample_node("node2")});
    REQUIRE_FALSE(early);
    CHECK(early.error().code == Errc::unavailable);
    const StoredState state = loaded(*opened.store);
    CHECK(state.epoch == opened.first.epoch);
    CHECK(state.batches.size() == 1);
    CHECK(state.ends.size() == 1);
    CHECK(state.nodes.empty());
  }
  commit(*opened.store, {sample_node("node2")});
  CHECK(opened.reopened().nodes.size() == 1);
}

TEST_CASE_TEMPLATE("a commit of nothing is good", Rig, EVERY_STORE) {
  Opened<Rig> opened;
  CHECK(opened.store->commit({}));
}
