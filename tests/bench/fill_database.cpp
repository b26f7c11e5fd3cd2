// Makes a host's database with tasks in it: bench_fill PATH TASKS queued|ended NODE PER_BATCH
//
// With one task per batch it is the costliest database of that many. Queued ones wait for NODE.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "storage/samples.hpp"
#include "storage/sqlite_store.hpp"

using namespace hakuriver;

namespace {

constexpr std::uint64_t kBatchesPerCommit = 10'000;
constexpr std::uint64_t kFirst = std::uint64_t{1'745'000'000'123} << 22;

int fail(const std::string& why) {
  std::fprintf(stderr, "bench_fill: %s\n", why.c_str());
  return 1;
}

BatchRecord batch_of(std::uint64_t first, std::uint64_t count, const std::string& node) {
  BatchRecord batch = test::sample_batch(kFirst + first, count);
  batch.targets = {Target{node, std::nullopt}};
  return batch;
}

EndRecord end_of(const BatchRecord& batch, const std::string& node) {
  EndRecord end = test::sample_end(batch.id, 0, node);
  end.count = batch.count;
  end.attempt = Attempt{1};
  end.status = TaskStatus::completed;
  end.outcome = {OutcomeKind::exited, 0};
  end.numa_node.reset();
  return end;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) return fail("usage: bench_fill PATH TASKS queued|ended NODE PER_BATCH");
  const std::uint64_t tasks = std::strtoull(argv[2], nullptr, 10);
  const std::uint64_t per_batch = std::strtoull(argv[5], nullptr, 10);
  const bool are_ended = std::string(argv[3]) == "ended";
  if (per_batch == 0) return fail("PER_BATCH: at least 1");
  auto store = storage::open_sqlite_store(argv[1]);
  if (!store) return fail(store.error().message);
  if (const auto loaded = (*store)->load(); !loaded) return fail(loaded.error().message);
  std::vector<StoreRecord> records;
  for (std::uint64_t batches = 0, done = 0; done < tasks; ++batches) {
    BatchRecord batch = batch_of(batches * (per_batch + 1), std::min(per_batch, tasks - done), argv[4]);
    EndRecord end = end_of(batch, argv[4]);
    done += batch.count;
    records.emplace_back(std::move(batch));
    if (are_ended) records.emplace_back(std::move(end));
    if ((batches + 1) % kBatchesPerCommit != 0 && done < tasks) continue;
    if (const Status committed = (*store)->commit(records); !committed) return fail(committed.error().message);
    records.clear();
  }
  return 0;
}
