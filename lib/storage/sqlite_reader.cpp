#include <algorithm>
#include <optional>
#include <utility>

#include "storage/database.hpp"
#include "storage/rows.hpp"
#include "storage/schema.hpp"
#include "storage/sqlite_store.hpp"
#include "wire/task_spec.hpp"

namespace hakuriver::storage {
namespace {

constexpr std::chrono::milliseconds kBusyTimeout{5000};

constexpr const char* kSelectBatch =
    "SELECT id, count, submitted_at, content_digest, submission_id, targets, failed_targets, spec FROM batches ";
constexpr const char* kSelectEnd =
    "SELECT e.first, e.count, e.status, e.attempt, e.outcome, e.outcome_value, p.node, e.numa_node, e.started_at,"
    " e.ended_at, e.cpu_us, e.max_rss_bytes, e.stdout_bytes, e.stderr_bytes, e.message"
    " FROM ends e LEFT JOIN places p ON p.id = e.place ";

// One connection and what is asked over it. Failures stay in the database.
struct Queries {
  explicit Queries(std::unique_ptr<Database> opened);

  // Nothing where there is none, and after a failure. A batch never changes, so the last one is kept.
  std::shared_ptr<const BatchRecord> find_batch(BatchId id);
  // The batch that has the task, by its place in the sequence of ids; zero where there is none.
  BatchId batch_of(TaskId id);
  std::optional<EndRecord> end_of(TaskId id, BatchId batch);
  std::vector<EndRecord> ends_between(BatchId batch, TaskId first, TaskId last, std::uint32_t limit);
  std::vector<BatchRecord> batches(const BatchFilter& filter);

  BatchRecord read_batch(const Statement& row);
  EndRecord read_end(const Statement& row, BatchId batch);

  std::unique_ptr<Database> database;
  std::shared_ptr<const BatchRecord> last_batch;
  Statement begin{*database, "BEGIN"};
  Statement commit{*database, "COMMIT"};
  Statement batch_before{*database, "SELECT id, count FROM batches WHERE id < ?1 ORDER BY id DESC LIMIT 1"};
  Statement batch_exists{*database, "SELECT 1 FROM batches WHERE id = ?1"};
  Statement batch_by_id{*database, std::string(kSelectBatch) + "WHERE id = ?1"};
  Statement newest_batches{*database, std::string(kSelectBatch) + "WHERE id < ?1 ORDER BY id DESC LIMIT ?2"};
  Statement named_batches{*database,
                          std::string(kSelectBatch) + "WHERE id < ?1 AND name = ?3 ORDER BY id DESC LIMIT ?2"};
  // The end that covers ?1 may begin before it: it is the last one that begins at or before it.
  Statement ends_from{*database, std::string(kSelectEnd) +
                                     "WHERE e.first <= ?2 AND e.first + e.count > ?1 AND e.first >="
                                     " ifnull((SELECT max(first) FROM ends WHERE first <= ?1), ?1)"
                                     " ORDER BY e.first LIMIT ?3"};
};

Queries::Queries(std::unique_ptr<Database> opened) : database(std::move(opened)) {}

BatchRecord Queries::read_batch(const Statement& row) {
  BatchRecord batch;
  batch.id = BatchId{row.natural(0)};
  batch.count = row.natural(1);
  batch.submitted_at = UtcTime{row.integer(2)};
  batch.content_digest = row.natural(3);
  batch.submission_id = row.text(4);
  auto targets = decode_targets(row.text(5));
  auto failed = decode_failed_targets(row.text(6));
  auto spec = wire::decode_task_spec(row.text(7));
  if (!targets || !failed || !spec) {
    const Error& why = !targets ? targets.error() : !failed ? failed.error() : spec.error();
    database->fail(damaged(database->path(), "batch " + to_string(batch.id), why));
    return batch;
  }
  batch.targets = std::move(*targets);
  batch.failed_targets = std::move(*failed);
  batch.spec = std::make_shared<const TaskSpec>(std::move(*spec));
  return batch;
}

EndRecord Queries::read_end(const Statement& row, BatchId batch) {
  EndRecord end;
  end.batch = batch;
  end.first = TaskId{row.natural(0)};
  end.count = row.natural(1);
  const auto status = final_status(row.integer(2));
  const auto kind = outcome_kind(row.integer(4));
  if (!status || !kind) {
    const Error& why = status ? kind.error() : status.error();
    database->fail(damaged(database->path(), "the end of task " + to_string(end.first), why));
    return end;
  }
  end.status = *status;
  end.attempt = Attempt{row.natural32(3)};
  end.outcome = {*kind, static_cast<std::int32_t>(row.integer(5))};
  end.node = row.text(6);
  if (!row.is_null(7)) end.numa_node = row.natural32(7);
  end.started_at = UtcTime{row.integer(8)};
  end.ended_at = UtcTime{row.integer(9)};
  end.usage = {row.natural(10), row.natural(11)};
  end.stdout_bytes = row.natural(12);
  end.stderr_bytes = row.natural(13);
  end.message = row.text(14);
  return end;
}

std::shared_ptr<const BatchRecord> Queries::find_batch(BatchId id) {
  if (last_batch != nullptr && last_batch->id == id) {
    batch_exists.start(id.value);
    const bool there = batch_exists.step();
    batch_exists.stop();
    return there ? last_batch : nullptr;
  }
  batch_by_id.start(id.value);
  if (!batch_by_id.step()) return nullptr;
  auto batch = std::make_shared<const BatchRecord>(read_batch(batch_by_id));
  batch_by_id.stop();
  if (database->failed()) return nullptr;
  last_batch = batch;
  return batch;
}

BatchId Queries::batch_of(TaskId id) {
  batch_before.start(id.value);
  if (!batch_before.step()) return BatchId{};
  const std::uint64_t batch = batch_before.natural(0);
  const bool inside = id.value - batch <= batch_before.natural(1);
  batch_before.stop();
  return BatchId{inside ? batch : 0};
}

std::optional<EndRecord> Queries::end_of(TaskId id, BatchId batch) {
  auto found = ends_between(batch, id, id, 1);
  if (found.empty()) return std::nullopt;
  return std::move(found[0]);
}

std::vector<EndRecord> Queries::ends_between(BatchId batch, TaskId first, TaskId last, std::uint32_t limit) {
  std::vector<EndRecord> ends;
  for (ends_from.start(first.value, last.value, limit); ends_from.step();) {
    ends.push_back(read_end(ends_from, batch));
  }
  return ends;
}

std::vector<BatchRecord> Queries::batches(const BatchFilter& filter) {
  std::vector<BatchRecord> batches;
  const std::uint64_t before = filter.before.value == 0 ? (std::uint64_t{1} << 63) - 1 : filter.before.value;
  Statement& rows = filter.name.empty() ? newest_batches : named_batches;
  if (filter.name.empty()) {
    rows.start(before, filter.limit);
  } else {
    rows.start(before, filter.limit, Bytes{filter.name});
  }
  while (rows.step()) batches.push_back(read_batch(rows));
  return batches;
}

class SqliteReader : public TaskReader {
 public:
  explicit SqliteReader(std::string path) : path_(std::move(path)) {}
  Status connect();

  Result<StoredTask> task(TaskId id) override;
  Result<BatchRecord> batch(BatchId id) override;
  Result<std::vector<BatchRecord>> batches(const BatchFilter& filter) override;
  Result<std::vector<EndRecord>> ends(BatchId batch, TaskId first, TaskId last, std::uint32_t limit) override;
  Result<std::shared_ptr<const TaskSpec>> spec(BatchId id) override;

 private:
  // Asks in one transaction, so that the parts of an answer fit each other. A connection that failed is not used
  // again: the next question opens another one.
  template <class Answer, class Ask>
  Result<Answer> ask(const Ask& ask_queries);

  const std::string path_;
  std::optional<Queries> queries_;
};

Status SqliteReader::connect() {
  auto database = Database::open(path_, kBusyTimeout);
  if (!database) return database.error();
  if (Status ours = check_identity(**database); !ours) return ours;
  if ((*database)->ask_integer("PRAGMA user_version") == 0) {
    return Error{Errc::not_found, "database '" + path_ + "' is empty: expected one that a host has opened before"};
  }
  (*database)->execute("PRAGMA query_only = ON; PRAGMA cache_size = -1000");
  if (Status ready = (*database)->status(); !ready) return ready;
  queries_.emplace(std::move(*database));
  return Unit{};
}

template <class Answer, class Ask>
Result<Answer> SqliteReader::ask(const Ask& ask_queries) {
  if (!queries_) {
    if (Status connected = connect(); !connected) return connected.error();
  }
  queries_->begin.run();
  Result<Answer> answer = ask_queries(*queries_);
  queries_->commit.run();
  if (const Status status = queries_->database->status(); !status) {
    queries_.reset();
    return status.error();
  }
  return answer;
}

Error no_batch(BatchId id) { return {Errc::not_found, "there is no batch " + to_string(id)}; }

Result<StoredTask> SqliteReader::task(TaskId id) {
  return ask<StoredTask>([id](Queries& queries) -> Result<StoredTask> {
    const auto batch = queries.find_batch(queries.batch_of(id));
    if (batch == nullptr) return Error{Errc::not_found, "there is no task " + to_string(id)};
    StoredTask task;
    task.id = id;
    task.batch = batch->id;
    task.index = id.value - batch->id.value - 1;
    task.submitted_at = batch->submitted_at;
    task.target = target_of(*batch, task.index);
    task.spec = batch->spec;
    task.end = queries.end_of(id, batch->id);
    return task;
  });
}

Result<BatchRecord> SqliteReader::batch(BatchId id) {
  return ask<BatchRecord>([id](Queries& queries) -> Result<BatchRecord> {
    const auto batch = queries.find_batch(id);
    if (batch == nullptr) return no_batch(id);
    return *batch;
  });
}

Result<std::vector<BatchRecord>> SqliteReader::batches(const BatchFilter& filter) {
  return ask<std::vector<BatchRecord>>([&filter](Queries& queries) { return queries.batches(filter); });
}

Result<std::vector<EndRecord>> SqliteReader::ends(BatchId batch, TaskId first, TaskId last, std::uint32_t limit) {
  return ask<std::vector<EndRecord>>([=](Queries& queries) -> Result<std::vector<EndRecord>> {
    const auto found = queries.find_batch(batch);
    if (found == nullptr) return no_batch(batch);
    const TaskId begin = std::max(first, task_of(batch, 0));
    const TaskId end = std::min(last, TaskId{batch.value + found->count});
    return queries.ends_between(batch, begin, end, limit);
  });
}

Result<std::shared_ptr<const TaskSpec>> SqliteReader::spec(BatchId id) {
  return ask<std::shared_ptr<const TaskSpec>>([id](Queries& queries) -> Result<std::shared_ptr<const TaskSpec>> {
    const auto batch = queries.find_batch(id);
    if (batch == nullptr) return no_batch(id);
    return batch->spec;
  });
}

}  // namespace

Result<std::unique_ptr<TaskReader>> open_sqlite_reader(const std::string& path) {
  auto reader = std::make_unique<SqliteReader>(path);
  if (const Status connected = reader->connect(); !connected) return connected.error();
  return std::unique_ptr<TaskReader>(std::move(reader));
}

}  // namespace hakuriver::storage
