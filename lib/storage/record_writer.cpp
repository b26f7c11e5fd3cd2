#include "storage/record_writer.hpp"

#include <optional>
#include <utility>
#include <variant>

#include "storage/rows.hpp"
#include "wire/node_messages.hpp"
#include "wire/task_spec.hpp"

namespace hakuriver::storage {
namespace {

constexpr std::size_t kMaxPlacesInMemory = 10'000;

}  // namespace

RecordWriter::RecordWriter(Database& database)
    : database_(database),
      next_sequence_(database.ask_integer("SELECT max(sequence) + 1 FROM assignments")),
      add_batch_(database,
                 "INSERT INTO batches (id, count, submitted_at, content_digest, millicores, memory_bytes, container,"
                 " private_network, private_pid, submission_id, name, targets, failed_targets, spec, shares_targets,"
                 " max_running, user, limits)"
                 " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)"),
      add_unfinished_(database, "INSERT INTO unfinished (batch, tasks) VALUES (?1, ?2)"),
      add_assignment_(database,
                      "INSERT INTO assignments (batch, sequence, kind, first, count, attempt, place, faults, reason)"
                      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"),
      add_end_(database,
               "INSERT INTO ends (first, count, status, attempt, outcome, outcome_value, place, numa_node, started_at,"
               " ended_at, cpu_us, max_rss_bytes, stdout_bytes, stderr_bytes, message)"
               " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"),
      add_kill_(database, "INSERT OR IGNORE INTO kills (task) VALUES (?1)"),
      add_place_(database, "INSERT INTO places (node, journal_id, boot_id, run) VALUES (?1, ?2, ?3, ?4)"),
      get_place_(database, "SELECT id FROM places WHERE node = ?1 AND journal_id = ?2 AND boot_id = ?3 AND run = ?4"),
      put_node_(database,
                "REPLACE INTO nodes (name, runner_id, journal_id, boot_id, run, drained, facts)"
                " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"),
      put_confirmation_(database, "REPLACE INTO confirmations (node, record) VALUES (?1, ?2)"),
      remove_node_(database, "DELETE FROM nodes WHERE name = ?1"),
      remove_confirmation_(database, "DELETE FROM confirmations WHERE node = ?1"),
      count_down_(database, "UPDATE unfinished SET tasks = tasks - ?2 WHERE batch = ?1 RETURNING tasks"),
      get_count_(database, "SELECT count FROM batches WHERE id = ?1"),
      remove_unfinished_(database, "DELETE FROM unfinished WHERE batch = ?1"),
      remove_assignments_(database, "DELETE FROM assignments WHERE batch = ?1"),
      remove_kills_(database, "DELETE FROM kills WHERE task BETWEEN ?1 + 1 AND ?1 + ?2"),
      remove_ends_(database, "DELETE FROM ends WHERE first BETWEEN ?1 + 1 AND ?1 + ?2"),
      remove_batch_(database, "DELETE FROM batches WHERE id = ?1"),
      keep_last_id_(database,
                    "INSERT INTO meta (name, value) VALUES ('last_id', ?1)"
                    " ON CONFLICT DO UPDATE SET value = max(value, ?1)") {}

void RecordWriter::write(const std::vector<StoreRecord>& records) {
  for (const auto& record : records) {
    if (database_.failed()) return;
    std::visit([this](const auto& one) { put(one); }, record);
  }
  settle();
}

void RecordWriter::put(const BatchRecord& record) {
  const TaskSpec& spec = *record.spec;
  const Requirements wanted = requirements_of(spec);
  const std::string targets = encode_targets(record.targets);
  const std::string failed = encode_failed_targets(record.failed_targets);
  const std::string text = wire::encode_task_spec(spec);
  add_batch_.run(record.id.value, record.count, record.submitted_at.microseconds, record.content_digest,
                 wanted.resources.millicores, wanted.resources.memory_bytes, wanted.container, wanted.private_network,
                 wanted.private_pid, bytes_or_null(record.submission_id), bytes_or_null(spec.name),
                 bytes_or_null(targets), bytes_or_null(failed), Bytes{text}, shares_targets(spec), spec.max_running,
                 bytes_or_null(spec.user), wanted.limits);
  if (record.count > 1) add_unfinished_.run(record.id.value, record.count);
}

void RecordWriter::put(const OrderRecord& record) {
  constexpr std::optional<std::uint32_t> kNoFaults;
  const std::int64_t place = place_of(record.node, record.session, record.run);
  add_assignment_.run(record.batch.value, next_sequence_++, 0, record.first.value, record.count, record.attempt.value,
                      place, kNoFaults, std::optional<Bytes>{});
}

void RecordWriter::put(const ReturnRecord& record) {
  constexpr std::optional<std::int64_t> kNoPlace;
  add_assignment_.run(record.batch.value, next_sequence_++, 1, record.first.value, record.count, record.attempt.value,
                      kNoPlace, record.faults, bytes_or_null(record.reason));
}

void RecordWriter::put(const EndRecord& record) {
  std::optional<std::int64_t> place;
  if (!record.node.empty()) {
    if (record.node != last_node_) {
      last_node_place_ = place_of(record.node, Session{}, RunId{});
      last_node_ = record.node;
    }
    place = last_node_place_;
  }
  add_end_.run(record.first.value, record.count, static_cast<std::int32_t>(record.status), record.attempt.value,
               static_cast<std::int32_t>(record.outcome.kind), record.outcome.value, place, record.numa_node,
               record.started_at.microseconds, record.ended_at.microseconds, record.usage.cpu_microseconds,
               record.usage.max_rss_bytes, record.stdout_bytes, record.stderr_bytes, bytes_or_null(record.message));
  ended_[record.batch] += record.count;
}

void RecordWriter::put(const KillRecord& record) { add_kill_.run(record.task.value); }

void RecordWriter::put(const NodeRecord& record) {
  const std::string facts = wire::encode(record.facts);
  put_node_.run(std::string_view(record.name), std::string_view(record.runner_id),
                std::string_view(record.session.journal_id), std::string_view(record.session.boot_id), record.run.value,
                record.drained, Bytes{facts});
  put_confirmation_.run(std::string_view(record.name), record.confirmed);
}

void RecordWriter::put(const ConfirmRecord& record) {
  put_confirmation_.run(std::string_view(record.node), record.confirmed);
}

void RecordWriter::put(const ForgetNodeRecord& record) {
  remove_node_.run(std::string_view(record.node));
  remove_confirmation_.run(std::string_view(record.node));
}

void RecordWriter::put(const PurgeRecord& record) {
  // The ends of this very commit count before the batch goes.
  settle();
  const std::uint64_t batch = record.batch.value;
  const std::uint64_t count = count_of(record.batch);
  if (count == 0) return;
  keep_last_id_.run(batch + count);
  remove_assignments_.run(batch);
  remove_unfinished_.run(batch);
  remove_kills_.run(batch, count);
  remove_ends_.run(batch, count);
  remove_batch_.run(batch);
}

std::int64_t RecordWriter::place_of(const std::string& node, const Session& session, RunId run) {
  PlaceKey key{node, session.journal_id, session.boot_id, run.value};
  if (const auto known = places_.find(key); known != places_.end()) return known->second;
  const std::int64_t place = find_place(key);
  if (places_.size() >= kMaxPlacesInMemory) places_.clear();
  places_.emplace(std::move(key), place);
  return place;
}

std::int64_t RecordWriter::find_place(const PlaceKey& key) {
  const auto& [node, journal, boot, run] = key;
  get_place_.start(std::string_view(node), std::string_view(journal), std::string_view(boot), run);
  if (get_place_.step()) {
    const std::int64_t place = get_place_.integer(0);
    get_place_.stop();
    return place;
  }
  add_place_.run(std::string_view(node), std::string_view(journal), std::string_view(boot), run);
  return sqlite3_last_insert_rowid(database_.handle());
}

void RecordWriter::settle() {
  for (const auto& [batch, ended] : ended_) settle(batch, ended);
  ended_.clear();
}

void RecordWriter::settle(BatchId batch, std::uint64_t ended) {
  count_down_.start(batch.value, ended);
  bool alone = true;  // a batch of one task has no row
  std::int64_t left = 0;
  while (count_down_.step()) {
    left = count_down_.integer(0);
    alone = false;
  }
  if (left > 0) return;
  if (left < 0) {
    database_.fail(Error{Errc::internal, "database '" + database_.path() + "': more tasks of batch " +
                                             to_string(batch) + " ended than it has"});
    return;
  }
  if (!alone) remove_unfinished_.run(batch.value);
  remove_assignments_.run(batch.value);
  remove_kills_.run(batch.value, alone ? 1 : count_of(batch));
}

std::uint64_t RecordWriter::count_of(BatchId batch) {
  get_count_.start(batch.value);
  const std::uint64_t count = get_count_.step() ? get_count_.natural(0) : 0;
  get_count_.stop();
  return count;
}

}  // namespace hakuriver::storage
