// A disk that fails or loses its power at every operation in turn: what was acknowledged is there afterwards, and
// nothing is there by halves.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "storage/fault_vfs.hpp"
#include "storage/rigs.hpp"
#include "storage/samples.hpp"

using namespace hakuriver;
using namespace hakuriver::test;

namespace {

constexpr int kCommits = 3;

BatchId batch_number(int i) { return BatchId{static_cast<std::uint64_t>(1000 * (i + 1))}; }

// Each commit leaves a mark in several tables.
std::vector<StoreRecord> records_of(int i) {
  const BatchId batch = batch_number(i);
  std::vector<StoreRecord> records{sample_batch(batch.value, 3, std::string(1000, 'n')), sample_order(batch, 0, 3),
                                   sample_node("node" + std::to_string(i)), KillRecord{task_of(batch, 1)}};
  // The one before is finished and the one before that goes.
  if (i > 0) records.emplace_back(sample_range_end(batch_number(i - 1), 0, 3));
  if (i > 1) records.emplace_back(PurgeRecord{batch_number(i - 2)});
  return records;
}

// The numbers of the commits that the state holds; each of them must be there in all its parts.
std::set<int> commits_in(const StoredState& state) {
  std::set<int> found;
  for (int i = 0; i < kCommits; ++i) {
    const auto named = [i](const NodeRecord& node) { return node.name == "node" + std::to_string(i); };
    if (std::any_of(state.nodes.begin(), state.nodes.end(), named)) found.insert(i);
  }
  const int last = found.empty() ? -1 : *found.rbegin();
  for (int i = 0; i < kCommits; ++i) {
    const BatchId id = batch_number(i);
    const auto is_it = [id](const auto& one) { return one.id == id; };
    const bool there = std::any_of(state.batches.begin(), state.batches.end(), is_it);
    const bool purged = found.count(i + 2) != 0;
    const bool ended = found.count(i + 1) != 0;
    CHECK(there == (found.count(i) != 0 && !purged));
    const auto ends = std::count_if(state.ends.begin(), state.ends.end(),
                                    [id](const StoredEnd& end) { return end.first == task_of(id, 0); });
    CHECK(ends == (ended && !purged ? 1 : 0));
    const auto kills = std::count(state.kills.begin(), state.kills.end(), KillRecord{task_of(id, 1)});
    CHECK(kills == (there && !ended ? 1 : 0));
  }
  CHECK(state.assignments.size() <= kCommits);
  if (last >= 0) CHECK(state.last_id == batch_number(last).value + 3);
  return found;
}

struct Knowledge {
  std::set<int> stored;  // acknowledged, or seen by the last load
  std::set<int> unsure;  // tried since, and not acknowledged
  Epoch epoch;           // the highest that was told
};

// What is known of one life of a host. A later commit needs those before it, so the first failure that lasts ends it.
class Host {
 public:
  Host(const std::string& path, Knowledge& known) : path_(path), known_(known) {}

  void live() {
    if (!open()) return;
    for (int i = 0; i < kCommits; ++i) {
      if (known_.stored.count(i) != 0) continue;
      for (int tries = 0; known_.stored.count(i) == 0; ++tries) {
        if (tries == 2 || !commit_or_load(i)) return;
      }
    }
  }

 private:
  bool open() {
    auto opened = storage::open_sqlite_store(path_);
    if (!opened) opened = storage::open_sqlite_store(path_);
    if (!opened) return false;
    store_ = std::move(*opened);
    return load();
  }

  bool load() {
    const auto state = store_->load();
    if (!state) return false;
    known_.epoch = std::max(known_.epoch, state->epoch);
    const std::set<int> found = commits_in(*state);
    CHECK(std::includes(found.begin(), found.end(), known_.stored.begin(), known_.stored.end()));
    known_.stored = found;
    known_.unsure.clear();
    return true;
  }

  bool commit_or_load(int i) {
    const Status status = store_->commit(records_of(i));
    if (status) {
      known_.stored.insert(i);
      return true;
    }
    CHECK(status.error().code == Errc::io);
    CHECK(status.error().message.find('\n') == std::string::npos);
    known_.unsure.insert(i);
    CHECK(store_->commit({}).error().code == Errc::unavailable);
    return load();
  }

  const std::string path_;
  Knowledge& known_;
  std::unique_ptr<TaskStore> store_;
};

// Opens the database as the next host would.
void check_what_is_there(const std::string& path, const Knowledge& known) {
  auto store = storage::open_sqlite_store(path);
  if (!store) FAIL(store.error().message);
  const StoredState state = loaded(**store);
  CHECK(state.epoch > known.epoch);
  const std::set<int> found = commits_in(state);
  CHECK(std::includes(found.begin(), found.end(), known.stored.begin(), known.stored.end()));
  for (const int i : found) CHECK((known.stored.count(i) != 0 || known.unsure.count(i) != 0));
}

// False once the scenario has no n-th operation.
bool run_with_fault(FaultVfs& disk, int n, FaultVfs::Fault fault, bool for_ever) {
  const ScratchDirectory directory;
  const std::string path = directory / "host.db";
  Knowledge known;
  bool reached = false;
  {
    Host host(path, known);
    disk.fail_at(n, fault, for_ever);
    host.live();
    reached = disk.disarm();
    disk.leave_after_power_cut(path, directory / "after-power-cut.db");
  }
  CAPTURE(n);
  check_what_is_there(path, known);
  if (std::filesystem::exists(directory / "after-power-cut.db")) {
    check_what_is_there(directory / "after-power-cut.db", known);
  } else {
    CHECK(known.stored.empty());
  }
  return reached;
}

void run_all(FaultVfs::Fault fault, bool for_ever) {
  FaultVfs disk;
  int n = 1;
  while (run_with_fault(disk, n, fault, for_ever)) ++n;
  CHECK(n > 50);
}

}  // namespace

TEST_CASE("a write that fails once loses nothing") { run_all(FaultVfs::Fault::write_error, false); }
TEST_CASE("a disk that fails for ever loses nothing") { run_all(FaultVfs::Fault::write_error, true); }
TEST_CASE("a full disk loses nothing") { run_all(FaultVfs::Fault::full, true); }
TEST_CASE("a disk that is full for a moment loses nothing") { run_all(FaultVfs::Fault::full, false); }
TEST_CASE("a sync that fails once loses nothing") { run_all(FaultVfs::Fault::sync_error, false); }
TEST_CASE("syncs that fail for ever lose nothing") { run_all(FaultVfs::Fault::sync_error, true); }
