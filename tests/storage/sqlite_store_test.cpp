// What only the store in a file promises.
#include <doctest/doctest.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "storage/rigs.hpp"
#include "storage/samples.hpp"

using namespace hakuriver;
using namespace hakuriver::test;

namespace {

constexpr BatchId kBatch{1000};

void run_sql(const std::string& path, const std::string& sql) {
  sqlite3* handle = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &handle) == SQLITE_OK);
  const int code = sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, nullptr);
  CAPTURE(sqlite3_errmsg(handle));
  CHECK(code == SQLITE_OK);
  sqlite3_close(handle);
}

Error open_error(const std::string& path) {
  const auto store = storage::open_sqlite_store(path);
  REQUIRE_FALSE(store);
  CHECK(store.error().message.find(path) != std::string::npos);
  CHECK(store.error().message.find('\n') == std::string::npos);
  return store.error();
}

bool says(const Error& error, const std::string& words) {
  CAPTURE(error.message);
  return error.message.find(words) != std::string::npos;
}

}  // namespace

TEST_CASE("one host at a time") {
  const SqliteRig rig;
  auto store = rig.open();
  const Error error = open_error(rig.path);
  CHECK(error.code == Errc::conflict);
  CHECK(says(error, "process " + std::to_string(::getpid())));
  CHECK(rig.reader());  // readers may come
  store.reset();
  CHECK(rig.open());
}

TEST_CASE("an epoch may be asked for") {
  const SqliteRig rig;
  CHECK(loaded(*rig.open()).epoch == Epoch{1});
  storage::SqliteOptions options;
  options.least_epoch = Epoch{1'745'000'000};
  CHECK(loaded(**storage::open_sqlite_store(rig.path, options)).epoch == options.least_epoch);
  CHECK(loaded(**storage::open_sqlite_store(rig.path, options)).epoch == Epoch{1'745'000'001});
}

TEST_CASE("files that are not ours are refused and left as they are") {
  const ScratchDirectory directory;
  struct Foreign {
    const char* file;
    const char* sql;  // null: no database at all
    const char* words;
  };
  constexpr Foreign kForeign[] = {
      {"text.db", nullptr, "is not a database: expected one made by hakuriver"},
      {"tables.db", "CREATE TABLE cats (name)", "belongs to another program"},
      {"marked.db", "PRAGMA application_id = 7; CREATE TABLE cats (name)", "belongs to another program"},
      {"newer.db", "PRAGMA application_id = 1751214965; PRAGMA user_version = 5; CREATE TABLE t (x)", "version 5"},
  };
  for (const Foreign& foreign : kForeign) {
    const std::string path = directory / foreign.file;
    if (foreign.sql == nullptr) {
      std::ofstream(path) << "This is a text, long enough to be taken for the head of something else.\n";
    } else {
      run_sql(path, foreign.sql);
    }
    const std::string before = contents_of(path);
    const Error error = open_error(path);
    CHECK(error.code == Errc::conflict);
    CHECK(says(error, foreign.words));
    CHECK(says(storage::open_sqlite_reader(path).error(), foreign.words));
    CHECK(contents_of(path) == before);
  }
}

TEST_CASE("a database of an earlier version is brought to the present one, with all that it holds") {
  const SqliteRig rig;
  BatchRecord batch = sample_batch(kBatch.value, 3);
  TaskSpec spec = *batch.spec;
  spec.user.clear();  // nothing of then had one
  batch.spec = std::make_shared<const TaskSpec>(std::move(spec));
  commit(*rig.open(), {batch});
  run_sql(rig.path,
          "ALTER TABLE batches DROP COLUMN user; ALTER TABLE batches DROP COLUMN limits; PRAGMA user_version = 2");

  const auto store = rig.open();
  const StoredState state = loaded(*store);
  REQUIRE(state.batches.size() == 1);
  CHECK(state.batches[0].requirements == requirements_of(*batch.spec));
  commit(*store, {sample_batch(kBatch.value + 10, 1)});
  CHECK(loaded(*store).batches[1].requirements.user == "alice");
  CHECK(**rig.reader()->spec(kBatch) == *batch.spec);
}

TEST_CASE("whether a batch of then has limits is known of a database that did not say so") {
  const SqliteRig rig;
  std::vector<BatchRecord> batches;
  for (std::uint64_t i = 0; i < 3; ++i) {
    TaskSpec spec;
    spec.argv = {"true", "\"niceness\":"};
    spec.time_limit = std::chrono::seconds{i == 1 ? 60 : 0};
    spec.niceness = i == 2 ? 5 : 0;
    batches.push_back(sample_batch(kBatch.value + 10 * i, 1));
    batches.back().spec = std::make_shared<const TaskSpec>(std::move(spec));
  }
  commit(*rig.open(), {batches[0], batches[1], batches[2]});
  run_sql(rig.path, "ALTER TABLE batches DROP COLUMN limits; PRAGMA user_version = 3");
  const StoredState state = loaded(*rig.open());
  REQUIRE(state.batches.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(state.batches[i].requirements.limits == (i != 0));
    CHECK(state.batches[i].requirements == requirements_of(*batches[i].spec));
  }
}

TEST_CASE("what is missing is named") {
  const ScratchDirectory directory;
  const Error error = open_error(directory / "missing/host.db");
  CHECK(error.code == Errc::not_found);
  CHECK(says(error, "there is no directory '" + directory / "missing" + "'"));
  CHECK_FALSE(storage::open_sqlite_reader(directory / "host.db"));
  std::ofstream(directory / "empty.db");
  CHECK(storage::open_sqlite_reader(directory / "empty.db").error().code == Errc::not_found);
}

TEST_CASE("its files are the owner's only, and few when it is closed") {
  const SqliteRig rig;
  auto store = rig.open();
  commit(*store, {sample_batch(kBatch.value, 1)});
  for (const char* suffix : {"", "-wal", ".lock"}) {
    struct stat file {};
    CAPTURE(suffix);
    REQUIRE(::stat((rig.path + suffix).c_str(), &file) == 0);
    CHECK((file.st_mode & 0777) == 0600);
  }
  store.reset();
  CHECK_FALSE(std::filesystem::exists(rig.path + "-wal"));
  CHECK(rig.reader()->batch(kBatch));
}

TEST_CASE("the log is written back while the host works") {
  const SqliteRig rig;
  const auto store = rig.open();
  // A reader that is there all the time must not keep the log from starting over.
  const auto reader = rig.reader();
  const auto size_of = [](const std::string& path) { return std::filesystem::file_size(path); };
  const std::string big(200'000, 'x');
  std::uint64_t id = kBatch.value;
  std::uintmax_t longest = 0;
  for (int i = 0; i < 2000 && size_of(rig.path) < 20'000'000; ++i, id += 10) {
    BatchRecord batch = sample_batch(id, 1);
    TaskSpec spec = *batch.spec;
    spec.environment = {{"BIG", big}};
    batch.spec = std::make_shared<const TaskSpec>(std::move(spec));
    commit(*store, {batch});
    CHECK(reader->batch(batch.id));
    longest = std::max(longest, size_of(rig.path + "-wal"));
  }
  CHECK(size_of(rig.path) >= 20'000'000);
  CHECK(longest < 200'000'000);
}

TEST_CASE("a file that the machine left damaged is refused") {
  const SqliteRig rig;
  {
    const auto store = rig.open();
    std::vector<StoreRecord> records{sample_batch(kBatch.value, 1000)};
    for (std::uint64_t i = 0; i < 1000; ++i) records.emplace_back(sample_end(kBatch, i));
    commit(*store, records);
  }
  {
    std::fstream file(rig.path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(-3 * 4096, std::ios::end);
    file << std::string(2 * 4096, '\x5a');
  }
  // It was closed well, so nobody looks.
  CHECK(storage::open_sqlite_store(rig.path));
  run_sql(rig.path, "REPLACE INTO meta (name, value) VALUES ('in_use_since_boot', 'another boot')");
  const Error error = open_error(rig.path);
  CHECK(error.code == Errc::io);
  CHECK(says(error, "is damaged"));
}

TEST_CASE("a file that is whole opens after the machine went down") {
  const SqliteRig rig;
  commit(*rig.open(), {sample_batch(kBatch.value, 1)});
  run_sql(rig.path, "INSERT INTO meta (name, value) VALUES ('in_use_since_boot', 'another boot')");
  CHECK(loaded(*rig.open()).batches.size() == 1);
}

TEST_CASE("a row that cannot be read is named, and others still are read") {
  const SqliteRig rig;
  const auto store = rig.open();
  commit(*store, {sample_batch(kBatch.value, 2), sample_batch(2000, 1), sample_end(BatchId{2000}, 0)});
  run_sql(rig.path, "UPDATE batches SET spec = x'7b' WHERE id = 1000");
  const auto reader = rig.reader();
  CHECK(reader->task(task_of(kBatch, 0)).error().code == Errc::io);
  CHECK(says(reader->batch(kBatch).error(), "batch 1000 is damaged"));
  CHECK(reader->task(TaskId{2001}));
  // The host needs no argv to start.
  CHECK(loaded(*store).batches.size() == 2);

  run_sql(rig.path, "UPDATE ends SET status = 77");
  CHECK(says(reader->task(TaskId{2001}).error(), "the end of task 2001 is damaged"));
  CHECK(says(store->load().error(), "77 is not the number of a final status"));
  CHECK(store->commit({}).error().code == Errc::unavailable);
  run_sql(rig.path, "UPDATE ends SET status = 5");
  CHECK(store->load());
  CHECK(reader->task(TaskId{2001}));
}

TEST_CASE("a commit waits for another program and gives up in time") {
  const SqliteRig rig;
  storage::SqliteOptions options;
  options.busy_timeout = std::chrono::milliseconds{20};
  const auto store = *storage::open_sqlite_store(rig.path, options);
  sqlite3* other = nullptr;
  REQUIRE(sqlite3_open(rig.path.c_str(), &other) == SQLITE_OK);
  CHECK(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK);
  CHECK(store->commit({sample_batch(kBatch.value, 1)}).error().code == Errc::unavailable);
  sqlite3_close(other);
  CHECK(loaded(*store).batches.empty());
  commit(*store, {sample_batch(kBatch.value, 1)});
}

TEST_CASE("readers on other threads see whole commits") {
  constexpr std::uint64_t kCommits = 200;
  const SqliteRig rig;
  const auto store = rig.open();
  std::atomic<bool> done{false};
  const auto read = [&rig, &done] {
    const auto reader = *storage::open_sqlite_reader(rig.path);
    std::uint64_t wrong = 0;
    while (!done) {
      const auto newest = reader->batches({"", {}, 1});
      if (!newest || newest->empty()) continue;
      // The end was committed with its batch.
      const auto task = reader->task(task_of((*newest)[0].id, 0));
      if (!task || !task->end) ++wrong;
    }
    return wrong;
  };
  std::atomic<std::uint64_t> wrong{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) readers.emplace_back([&] { wrong += read(); });
  for (std::uint64_t i = 1; i <= kCommits; ++i) {
    CHECK(store->commit({sample_batch(10 * i, 2), sample_end(BatchId{10 * i}, 0)}));
  }
  done = true;
  for (auto& reader : readers) reader.join();
  CHECK(wrong == 0);
}
