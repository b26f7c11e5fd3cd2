#include "storage/database.hpp"

#include <utility>

namespace hakuriver::storage {
namespace {

// Errors in the words of the disk keep Errc::io; what only a defect of ours can cause is internal.
Errc errc_of(int code) {
  switch (code & 0xff) {
    case SQLITE_CONSTRAINT:
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
      return Errc::internal;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Errc::unavailable;
    default:
      return Errc::io;
  }
}

std::string one_line(std::string text) {
  for (char& c : text) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  return text;
}

Error error_of(const std::string& path, sqlite3* handle, int code) {
  std::string text = "database '" + path + "': ";
  if (code == SQLITE_NOMEM || handle == nullptr) return {Errc::io, text + "out of memory"};
  text += sqlite3_errmsg(handle);
  text += " (SQLite code " + std::to_string(sqlite3_extended_errcode(handle)) + ")";
  return {errc_of(code), one_line(std::move(text))};
}

void harden(sqlite3* handle) {
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
  // A connection that failed must not touch the file any more when it is closed.
  sqlite3_db_config(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
}

}  // namespace

Result<std::unique_ptr<Database>> Database::open(const std::string& path, std::chrono::milliseconds busy_timeout) {
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  if (code != SQLITE_OK) {
    Error error = error_of(path, handle, code);
    sqlite3_close(handle);
    return error;
  }
  harden(handle);
  sqlite3_busy_timeout(handle, static_cast<int>(busy_timeout.count()));
  return std::unique_ptr<Database>(new Database(path, handle));
}

Database::~Database() { sqlite3_close_v2(handle_); }

void Database::execute(const char* sql) {
  if (failed()) return;
  const int code = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(code);
}

std::string Database::ask(const char* sql) {
  Statement statement(*this, sql);
  statement.start();
  return statement.step() ? std::string(statement.text(0)) : std::string();
}

std::int64_t Database::ask_integer(const char* sql) {
  Statement statement(*this, sql);
  statement.start();
  return statement.step() ? statement.integer(0) : 0;
}

Status Database::status() const {
  if (error_) return *error_;
  return Unit{};
}

void Database::fail(int code) { fail(error_of(path_, handle_, code)); }

void Database::fail(Error error) {
  if (!error_) error_ = std::move(error);
}

bool Statement::prepare() {
  if (database_.failed()) return false;
  if (handle_ != nullptr) {
    sqlite3_reset(handle_);
    return true;
  }
  check(sqlite3_prepare_v3(database_.handle(), sql_.c_str(), -1, SQLITE_PREPARE_PERSISTENT, &handle_, nullptr));
  return !database_.failed();
}

bool Statement::step() {
  if (database_.failed() || handle_ == nullptr) return false;
  const int code = sqlite3_step(handle_);
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) database_.fail(code);
  sqlite3_reset(handle_);
  return false;
}

std::string_view Statement::text(int column) const {
  const void* data = sqlite3_column_blob(handle_, column);
  const int size = sqlite3_column_bytes(handle_, column);
  return data == nullptr ? std::string_view() : std::string_view(static_cast<const char*>(data), std::size_t(size));
}

void Statement::bind(int column, const Bytes& value) {
  // SQLite takes a null pointer for NULL.
  const char* data = value.value.empty() ? "" : value.value.data();
  check(sqlite3_bind_blob64(handle_, column, data, value.value.size(), SQLITE_STATIC));
}

void Statement::bind(int column, std::string_view value) {
  const char* data = value.empty() ? "" : value.data();
  check(sqlite3_bind_text64(handle_, column, data, value.size(), SQLITE_STATIC, SQLITE_UTF8));
}

}  // namespace hakuriver::storage
