// Makes a host's database with tasks in it: bench_fill PATH TASKS queued|ended NODE
//
// Each task is a batch of its own, the costliest way to have that many. Queued ones wait for NODE.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "storage/samples.hpp"
#include "storage/sqlite_store.hpp"

using namespace hakuriver;

namespace {

constexpr std::uint64_t kPerCommit = 10'000;
constexpr std::uint64_t kFirst = std::uint64_t{1'745'000'000'123} << 22;

int fail(const std::string& why) {
  std::fprintf(stderr, "bench_fill: %s\n", why.c_str());
  return 1;
}

BatchRecord batch_of_one(std::uint64_t number, const std::string& node) {
  BatchRecord batch = test::sample_batch(kFirst + 2 * number, 1);
  batch.targets = {Target{node, std::nullopt}};
  return batch;
}

EndRecord end_of(const BatchRecord& batch, const std::string& node) {
  EndRecord end = test::sample_end(batch.id, 0, node);
  end.attempt = Attempt{1};
  end.status = TaskStatus::completed;
  end.outcome = {OutcomeKind::exited, 0};
  end.numa_node.reset();
  return end;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return fail("usage: bench_fill PATH TASKS queued|ended NODE");
  const std::uint64_t tasks = std::strtoull(argv[2], nullptr, 10);
  const bool are_ended = std::string(argv[3]) == "ended";
  auto store = storage::open_sqlite_store(argv[1]);
  if (!store) return fail(store.error().message);
  if (const auto loaded = (*store)->load(); !loaded) return fail(loaded.error().message);
  std::vector<StoreRecord> records;
  for (std::uint64_t i = 0; i < tasks; ++i) {
    BatchRecord batch = batch_of_one(i, argv[4]);
    EndRecord end = end_of(batch, argv[4]);
    records.emplace_back(std::move(batch));
    if (are_ended) records.emplace_back(std::move(end));
    if ((i + 1) % kPerCommit != 0 && i + 1 != tasks) continue;
    if (const Status done = (*store)->commit(records); !done) return fail(done.error().message);
    records.clear();
  }
  return 0;
}
