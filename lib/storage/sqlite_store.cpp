#include "storage/sqlite_store.hpp"

#include <mutex>
#include <optional>
#include <utility>

#include "storage/checkpointer.hpp"
#include "storage/database.hpp"
#include "storage/database_lock.hpp"
#include "storage/record_writer.hpp"
#include "storage/schema.hpp"
#include "storage/state_loader.hpp"

namespace hakuriver::storage {
namespace {

class SqliteStore : public TaskStore {
 public:
  SqliteStore(std::string path, DatabaseLock lock, std::chrono::milliseconds busy_timeout)
      : path_(std::move(path)), lock_(std::move(lock)), busy_timeout_(busy_timeout) {}
  ~SqliteStore() override;

  Status open(Epoch least_epoch);
  Result<StoredState> load() override;
  Status commit(const std::vector<StoreRecord>& records) override;

 private:
  // A connection, and what works on it.
  struct Connection {
    explicit Connection(std::unique_ptr<Database> opened) : database(std::move(opened)), writer(*database) {}
    std::unique_ptr<Database> database;
    RecordWriter writer;
  };

  static int after_commit(void* self, sqlite3* handle, const char* name, int pages);
  Result<std::unique_ptr<Database>> connect();
  void use(std::unique_ptr<Database> database);

  const std::string path_;
  DatabaseLock lock_;
  const std::chrono::milliseconds busy_timeout_;
  std::mutex writing_;                    // held during each commit
  std::optional<Connection> connection_;  // none after a failure
  std::optional<Checkpointer> checkpointer_;
};

SqliteStore::~SqliteStore() {
  checkpointer_.reset();
  if (!connection_) return;
  // Nobody is left to hear of a failure, which loses nothing: the log is read at the next start.
  [[maybe_unused]] const Status closed = end_epoch(*connection_->database);
}

int SqliteStore::after_commit(void* self, sqlite3*, const char*, int pages) {
  static_cast<SqliteStore*>(self)->checkpointer_->log_has(pages);
  return SQLITE_OK;
}

Result<std::unique_ptr<Database>> SqliteStore::connect() {
  auto database = Database::open(path_, busy_timeout_);
  if (!database) return database.error();
  if (const Status ours = check_identity(**database); !ours) return ours.error();
  if (const Status ready = prepare_for_writing(**database); !ready) return ready.error();
  return database;
}

void SqliteStore::use(std::unique_ptr<Database> database) {
  if (!checkpointer_) checkpointer_.emplace(path_, writing_);
  sqlite3_wal_hook(database->handle(), after_commit, this);
  connection_.emplace(std::move(database));
}

Status SqliteStore::open(Epoch least_epoch) {
  if (Status created = create_database_file(path_); !created) return created;
  auto database = connect();
  if (!database) return database.error();
  if (Status begun = begin_epoch(**database, least_epoch); !begun) return begun;
  use(std::move(*database));
  return connection_->database->status();
}

Result<StoredState> SqliteStore::load() {
  if (!connection_) {
    auto database = connect();
    if (!database) return database.error();
    if (const Status settled = settle_log(**database); !settled) return settled.error();
    use(std::move(*database));
  }
  auto state = load_state(*connection_->database);
  if (!state) connection_.reset();
  return state;
}

Status SqliteStore::commit(const std::vector<StoreRecord>& records) {
  if (!connection_) {
    return Error{Errc::unavailable, "database '" + path_ + "' failed before: expected it to be loaded again first"};
  }
  const std::lock_guard lock(writing_);
  Database& database = *connection_->database;
  database.execute("BEGIN IMMEDIATE");
  connection_->writer.write(records);
  database.execute("COMMIT");
  Status status = database.status();
  // Closing rolls back what is not committed.
  if (!status) connection_.reset();
  return status;
}

}  // namespace

Result<std::unique_ptr<TaskStore>> open_sqlite_store(const std::string& path, const SqliteOptions& options) {
  auto lock = DatabaseLock::take(path);
  if (!lock) return lock.error();
  auto store = std::make_unique<SqliteStore>(path, std::move(*lock), options.busy_timeout);
  if (const Status opened = store->open(options.least_epoch); !opened) return opened.error();
  return std::unique_ptr<TaskStore>(std::move(store));
}

}  // namespace hakuriver::storage
