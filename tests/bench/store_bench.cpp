// What the SQLite store costs: CPU per record, the time to load and to read, and the bytes on disk.
//
//   bench_store [DIRECTORY] [TASKS]
//
// DIRECTORY must be on a real disk (default: the working directory), TASKS defaults to a million. Build with
// CMAKE_BUILD_TYPE=Release.
#include <time.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "storage/samples.hpp"
#include "storage/sqlite_store.hpp"

using namespace hakuriver;

namespace {

constexpr std::uint64_t kPerCommit = 1000;
constexpr BatchId kFirst{std::uint64_t{1'745'000'000'123} << 22};

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

template <class Value>
Value must(Result<Value> result) {
  if (result) return std::move(*result);
  std::fprintf(stderr, "%s\n", result.error().message.c_str());
  std::exit(1);
}

void report(const char* what, std::uint64_t count, const std::function<void()>& work) {
  const double cpu = cpu_seconds();
  const auto start = std::chrono::steady_clock::now();
  work();
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
  const auto each = [count](double seconds) { return seconds * 1e6 / static_cast<double>(count); };
  std::printf("%-52s %8.3f s, each %7.3f us wall, %7.3f us CPU\n", what, wall.count(), each(wall.count()),
              each(cpu_seconds() - cpu));
}

std::uint64_t bytes_on_disk(const std::string& path) {
  std::uint64_t bytes = std::filesystem::file_size(path);
  std::error_code missing;
  const auto log = std::filesystem::file_size(path + "-wal", missing);
  return missing ? bytes : bytes + log;
}

EndRecord end_of(BatchId batch, std::uint64_t index) {
  EndRecord end = test::sample_end(batch, index, "node" + std::to_string(index % 7));
  end.attempt = Attempt{1};
  end.status = TaskStatus::completed;
  end.outcome = {OutcomeKind::exited, 0};
  end.started_at.microseconds += static_cast<std::int64_t>(1000 * index);
  end.ended_at = end.started_at + std::chrono::microseconds{700'000 + index % 1000};
  end.numa_node.reset();
  return end;
}

// `one` gives the records of task or batch number i.
void commit_all(TaskStore& store, std::uint64_t count,
                const std::function<void(std::vector<StoreRecord>&, std::uint64_t)>& one) {
  std::vector<StoreRecord> records;
  for (std::uint64_t i = 0; i < count; ++i) {
    one(records, i);
    if ((i + 1) % kPerCommit != 0 && i + 1 != count) continue;
    must(store.commit(records));
    records.clear();
  }
}

void run_one_big_batch(const std::string& path, std::uint64_t tasks) {
  auto store = must(storage::open_sqlite_store(path));
  must(store->load());
  report("submit one batch", 1, [&] { must(store->commit({test::sample_batch(kFirst.value, tasks)})); });
  const std::uint64_t before = bytes_on_disk(path);
  report("ends in commits of 1000", tasks, [&] {
    commit_all(*store, tasks, [](auto& records, std::uint64_t i) { records.emplace_back(end_of(kFirst, i)); });
  });
  store.reset();
  std::printf("%-52s %8.1f\n", "bytes on disk per ended task",
              static_cast<double>(bytes_on_disk(path) - before) / static_cast<double>(tasks));
  report("open", 1, [&] { store = must(storage::open_sqlite_store(path)); });
  report("load with all tasks ended", tasks, [&] { must(store->load()); });

  const auto reader = must(storage::open_sqlite_reader(path));
  constexpr std::uint64_t kReads = 20'000;
  report("TaskReader::task, at random", kReads, [&] {
    for (std::uint64_t i = 0; i < kReads; ++i) must(reader->task(task_of(kFirst, i * 7919 % tasks)));
  });
  report("TaskReader::ends in pages of 1000", tasks, [&] {
    for (std::uint64_t i = 0; i < tasks; i += kPerCommit) {
      must(reader->ends(kFirst, task_of(kFirst, i), task_of(kFirst, i + kPerCommit - 1), kPerCommit));
    }
  });
  report("purge the batch", tasks, [&] { must(store->commit({PurgeRecord{kFirst}})); });
}

void run_many_batches(const std::string& path, std::uint64_t tasks) {
  const auto id = [](std::uint64_t i) { return BatchId{kFirst.value + 2 * i}; };
  auto store = must(storage::open_sqlite_store(path));
  must(store->load());
  report("submit batches of one task in commits of 1000", tasks, [&] {
    commit_all(*store, tasks,
               [&](auto& records, std::uint64_t i) { records.emplace_back(test::sample_batch(id(i).value, 1)); });
  });
  store.reset();
  std::printf("%-52s %8.1f\n", "bytes on disk per queued task",
              static_cast<double>(bytes_on_disk(path)) / static_cast<double>(tasks));
  store = must(storage::open_sqlite_store(path));
  report("load with all tasks queued, each a batch", tasks, [&] { must(store->load()); });
  report("order them one by one in commits of 1000", tasks, [&] {
    commit_all(*store, tasks,
               [&](auto& records, std::uint64_t i) { records.emplace_back(test::sample_order(id(i), 0)); });
  });
  report("load with all tasks ordered", tasks, [&] { must(store->load()); });
  report("their ends in commits of 1000", tasks, [&] {
    commit_all(*store, tasks, [&](auto& records, std::uint64_t i) { records.emplace_back(end_of(id(i), 0)); });
  });
  const auto reader = must(storage::open_sqlite_reader(path));
  constexpr std::uint64_t kReads = 20'000;
  report("TaskReader::task, each of another batch", kReads, [&] {
    for (std::uint64_t i = 0; i < kReads; ++i) must(reader->task(task_of(id(i * 7919 % tasks), 0)));
  });
}

void run_small_commits(const std::string& path) {
  constexpr std::uint64_t kCommits = 5000;
  auto store = must(storage::open_sqlite_store(path));
  must(store->load());
  must(store->commit({test::sample_batch(kFirst.value, kCommits)}));
  report("commits of one end", kCommits, [&] {
    for (std::uint64_t i = 0; i < kCommits; ++i) must(store->commit({end_of(kFirst, i)}));
  });
}

}  // namespace

int main(int argc, char** argv) {
  std::string directory = std::string(argc > 1 ? argv[1] : ".") + "/store-bench-XXXXXX";
  const std::uint64_t tasks = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1'000'000;
  if (::mkdtemp(directory.data()) == nullptr || tasks == 0) {
    std::fprintf(stderr, "usage: bench_store [DIRECTORY] [TASKS]: '%s' cannot be made\n", directory.c_str());
    return 2;
  }
  run_one_big_batch(directory + "/one.db", tasks);
  run_many_batches(directory + "/many.db", tasks);
  run_small_commits(directory + "/small.db");
  std::filesystem::remove_all(directory);
  return 0;
}
