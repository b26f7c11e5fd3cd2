#include "storage/schema.hpp"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <fstream>
#include <optional>

namespace hakuriver::storage {
namespace {

// What has its own number is stored as a number; text that people or nodes send, as bytes. Times are microseconds
// since 1970. `batches` is never updated: `unfinished` counts down instead, so that a large submission is written
// once. The names of enumerations are those of the headers named.
constexpr const char* kVersion1 = R"(
CREATE TABLE meta (
  name  TEXT PRIMARY KEY,  -- cluster_id, epoch, last_id (of batches that are gone), in_use_since_boot
  value ANY NOT NULL
) STRICT, WITHOUT ROWID;

-- Tasks id + 1 to id + count.
CREATE TABLE batches (
  id              INTEGER PRIMARY KEY,
  count           INTEGER NOT NULL,
  submitted_at    INTEGER NOT NULL,
  content_digest  INTEGER NOT NULL,  -- unsigned, wrapped
  millicores      INTEGER NOT NULL,
  memory_bytes    INTEGER NOT NULL,
  container       INTEGER NOT NULL,  -- whether one is asked for; so the next two
  private_network INTEGER NOT NULL,
  private_pid     INTEGER NOT NULL,
  submission_id   BLOB,
  name            BLOB,
  targets         BLOB,  -- JSON: ["node1:0", ...]
  failed_targets  BLOB,  -- JSON: ["target", "reason", ...]
  spec            BLOB NOT NULL  -- JSON, as it goes to nodes
) STRICT;
CREATE UNIQUE INDEX batches_by_submission ON batches (submission_id) WHERE submission_id IS NOT NULL;
CREATE INDEX batches_by_name ON batches (name) WHERE name IS NOT NULL;

-- Of batches of more than one task: how many are not final. None is left: no row.
CREATE TABLE unfinished (
  batch INTEGER PRIMARY KEY,
  tasks INTEGER NOT NULL
) STRICT;

-- Where tasks run or ran, written once and named by its number.
CREATE TABLE places (
  id         INTEGER PRIMARY KEY,
  node       TEXT NOT NULL,
  journal_id TEXT NOT NULL,
  boot_id    TEXT NOT NULL,
  run        INTEGER NOT NULL,
  UNIQUE (node, journal_id, boot_id, run)
) STRICT;

-- Orders (kind 0) and returns (kind 1) of tasks first to first + count - 1, while the batch is not all final.
CREATE TABLE assignments (
  batch    INTEGER NOT NULL,
  sequence INTEGER NOT NULL,  -- over all batches
  kind     INTEGER NOT NULL,
  first    INTEGER NOT NULL,
  count    INTEGER NOT NULL,
  attempt  INTEGER NOT NULL,
  place    INTEGER,  -- of an order
  faults   INTEGER,  -- of a return
  reason   BLOB,
  PRIMARY KEY (batch, sequence)
) STRICT, WITHOUT ROWID;

-- How tasks first to first + count - 1 ended.
CREATE TABLE ends (
  first         INTEGER PRIMARY KEY,
  count         INTEGER NOT NULL,
  status        INTEGER NOT NULL,  -- TaskStatus, task.hpp
  attempt       INTEGER NOT NULL,
  outcome       INTEGER NOT NULL,  -- OutcomeKind, outcome.hpp
  outcome_value INTEGER NOT NULL,
  place         INTEGER,  -- none: it never had a node
  numa_node     INTEGER,
  started_at    INTEGER NOT NULL,  -- 0: it never started
  ended_at      INTEGER NOT NULL,
  cpu_us        INTEGER NOT NULL,
  max_rss_bytes INTEGER NOT NULL,
  stdout_bytes  INTEGER NOT NULL,
  stderr_bytes  INTEGER NOT NULL,
  message       BLOB
) STRICT;

-- Kills asked for, while the task's batch is not all final.
CREATE TABLE kills (
  task INTEGER PRIMARY KEY
) STRICT;

CREATE TABLE nodes (
  name       TEXT PRIMARY KEY,
  runner_id  TEXT NOT NULL,
  journal_id TEXT NOT NULL,
  boot_id    TEXT NOT NULL,
  run        INTEGER NOT NULL,
  drained    INTEGER NOT NULL,
  facts      BLOB NOT NULL  -- JSON, as the node sends it
) STRICT, WITHOUT ROWID;

-- Apart from `nodes`, because it changes with every report.
CREATE TABLE confirmations (
  node   TEXT PRIMARY KEY,
  record INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
)";

// Several targets of a sweep are those of each of its tasks; a batch may limit how many of its tasks run at once.
constexpr const char* kVersion2 = R"(
ALTER TABLE batches ADD COLUMN shares_targets INTEGER NOT NULL DEFAULT 0;
ALTER TABLE batches ADD COLUMN max_running INTEGER NOT NULL DEFAULT 0;  -- 0: no limit
)";

// A batch may ask to run as a user that not every node offers.
constexpr const char* kVersion3 = R"(
ALTER TABLE batches ADD COLUMN user BLOB;
)";

// A batch may ask for a time limit or a niceness, which not every runner knows.
constexpr const char* kVersion4 = R"(
ALTER TABLE batches ADD COLUMN limits INTEGER NOT NULL DEFAULT 0;
UPDATE batches SET limits = 1
  WHERE instr(spec, CAST('"time_limit_ms":' AS BLOB)) > 0 OR instr(spec, CAST('"niceness":' AS BLOB)) > 0;
)";

// A check that takes longer is left unfinished.
constexpr std::chrono::milliseconds kCheckBudget{1000};

constexpr std::array<const char*, kSchemaVersion> kMigrations{kVersion1, kVersion2, kVersion3, kVersion4};

// 32 hex digits; none where the kernel refuses.
std::optional<std::string> random_name() {
  std::array<unsigned char, 16> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) return std::nullopt;
  std::string name;
  for (const unsigned char byte : bytes) {
    name += "0123456789abcdef"[byte >> 4];
    name += "0123456789abcdef"[byte & 15];
  }
  return name;
}

// Empty where the system tells none: then every unclean end counts as one of the machine.
std::string boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;
}

void migrate(Database& database) {
  const auto version = database.ask_integer("PRAGMA user_version");
  for (auto next = version; next < kSchemaVersion; ++next) {
    database.execute(kMigrations[static_cast<std::size_t>(next)]);
    database.execute(("PRAGMA user_version = " + std::to_string(next + 1)).c_str());
  }
  if (version == 0) database.execute(("PRAGMA application_id = " + std::to_string(kApplicationId)).c_str());
}

void put(Database& database, std::string_view name, std::string_view value) {
  Statement(database, "REPLACE INTO meta (name, value) VALUES (?1, ?2)").run(name, value);
}

void name_cluster(Database& database) {
  if (!database.ask("SELECT value FROM meta WHERE name = 'cluster_id'").empty()) return;
  const auto name = random_name();
  if (!name) {
    database.fail(Error{Errc::io, "database '" + database.path() + "': the kernel gives no random numbers"});
    return;
  }
  put(database, "cluster_id", *name);
}

bool exists(Database& database, const char* table) {
  Statement statement(database, "SELECT 1 FROM sqlite_schema WHERE name = ?1");
  statement.start(std::string_view(table));
  return statement.step();
}

using Clock = std::chrono::steady_clock;

int is_late(void* deadline) { return Clock::now() > *static_cast<const Clock::time_point*>(deadline) ? 1 : 0; }

// SQLite's word on the file: "ok" also where nothing was found in the time that a start may take.
std::string look_for_damage(Database& database) {
  constexpr int kStepsBetweenLooks = 10'000;
  Clock::time_point deadline = Clock::now() + kCheckBudget;
  sqlite3_progress_handler(database.handle(), kStepsBetweenLooks, is_late, &deadline);
  sqlite3_stmt* check = nullptr;
  sqlite3_prepare_v2(database.handle(), "PRAGMA quick_check(1)", -1, &check, nullptr);
  const int code = sqlite3_step(check);
  std::string found = code == SQLITE_INTERRUPT ? "ok" : sqlite3_errmsg(database.handle());
  if (code == SQLITE_ROW) found = reinterpret_cast<const char*>(sqlite3_column_text(check, 0));
  sqlite3_finalize(check);
  sqlite3_progress_handler(database.handle(), 0, nullptr, nullptr);
  return found;
}

void check_if_machine_went_down(Database& database) {
  if (!exists(database, "meta")) return;
  const std::string in_use = database.ask("SELECT value FROM meta WHERE name = 'in_use_since_boot'");
  if (in_use.empty() || in_use == boot_id() || database.failed()) return;
  std::string found = look_for_damage(database);
  if (found == "ok") return;
  std::replace(found.begin(), found.end(), '\n', ' ');
  database.fail(Error{Errc::io, "database '" + database.path() + "' is damaged: " + found.substr(0, 200) +
                                    "; expected a whole one, such as a copy made before"});
}

}  // namespace

Status check_identity(Database& database) {
  const auto application = database.ask_integer("PRAGMA application_id");
  const auto version = database.ask_integer("PRAGMA user_version");
  const auto tables = database.ask_integer("SELECT count(*) FROM sqlite_schema");
  const std::string named = "database '" + database.path() + "'";
  if (sqlite3_errcode(database.handle()) == SQLITE_NOTADB) {
    return Error{Errc::conflict, named + " is not a database: expected one made by hakuriver, or no file"};
  }
  if (database.failed()) return database.status();
  if (application == 0 && version == 0 && tables == 0) return Unit{};
  if (application != kApplicationId) {
    return Error{Errc::conflict, named + " belongs to another program: expected one made by hakuriver, or no file"};
  }
  if (version > kSchemaVersion) {
    return Error{Errc::conflict, named + " has version " + std::to_string(version) + ": expected at most " +
                                     std::to_string(kSchemaVersion) + ", so a newer hakuriver made it"};
  }
  return Unit{};
}

Status prepare_for_writing(Database& database) {
  const std::string mode = database.ask("PRAGMA journal_mode = WAL");
  if (!database.failed() && mode != "wal") {
    return Error{Errc::io, "database '" + database.path() +
                               "': expected a local file system that allows a write-ahead log, not journal mode '" +
                               mode + "'"};
  }
  // Checkpoints are made elsewhere. What is purged is no secret that was not one before.
  database.execute(
      "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA secure_delete = OFF;"
      "PRAGMA journal_size_limit = 67108864");
  return database.status();
}

Status settle_log(Database& database) {
  const int code = sqlite3_wal_checkpoint_v2(database.handle(), nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  if (code != SQLITE_OK && code != SQLITE_FULL) database.fail(code);
  return database.status();
}

Status begin_epoch(Database& database, Epoch least) {
  check_if_machine_went_down(database);
  database.execute("BEGIN IMMEDIATE");
  migrate(database);
  name_cluster(database);
  Statement(database,
            "INSERT INTO meta (name, value) VALUES ('epoch', max(1, ?1))"
            " ON CONFLICT DO UPDATE SET value = max(value + 1, ?1)")
      .run(least.value);
  const std::string boot = boot_id();
  put(database, "in_use_since_boot", boot.empty() ? "unknown" : boot);
  database.execute("COMMIT");
  return database.status();
}

Status end_epoch(Database& database) {
  database.execute("DELETE FROM meta WHERE name = 'in_use_since_boot'");
  database.execute("PRAGMA wal_checkpoint(TRUNCATE)");
  if (database.failed()) return database.status();
  // The last connection removes the log's files.
  sqlite3_db_config(database.handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, nullptr);
  return Unit{};
}

}  // namespace hakuriver::storage
