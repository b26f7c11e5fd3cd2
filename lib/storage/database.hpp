// SQLite's C interface, with owners and with failure that stays.
//
// The first failure of a connection is kept and everything after it does nothing, so that a sequence of statements
// is written plainly and its status looked at once, at the end.
#pragma once

#include <sqlite3.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "hakuriver/result.hpp"

namespace hakuriver::storage {

// One connection, used by one thread at a time.
class Database {
 public:
  // The file must exist.
  static Result<std::unique_ptr<Database>> open(const std::string& path, std::chrono::milliseconds busy_timeout);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // One or more statements whose rows do not matter.
  void execute(const char* sql);
  // The first column of the first row as text; empty where there is none.
  std::string ask(const char* sql);
  std::int64_t ask_integer(const char* sql);

  bool failed() const noexcept { return error_.has_value(); }
  Status status() const;
  // Keeps SQLite's words for what went wrong last.
  void fail(int code);
  void fail(Error error);

  sqlite3* handle() noexcept { return handle_; }
  const std::string& path() const noexcept { return path_; }

 private:
  Database(std::string path, sqlite3* handle) : path_(std::move(path)), handle_(handle) {}

  std::string path_;
  sqlite3* handle_;
  std::optional<Error> error_;
};

// Bytes that need not be UTF-8; they are stored as a blob. Plain text is stored as text.
struct Bytes {
  std::string_view value;
};
inline std::optional<Bytes> bytes_or_null(std::string_view value) {
  return value.empty() ? std::nullopt : std::optional(Bytes{value});
}

// A prepared statement.
//
//   insert.run(1, "text");
//   for (select.start(7); select.step();) use(select.integer(0));
class Statement {
 public:
  // `database` must outlive the statement, which is prepared at the first use.
  Statement(Database& database, std::string sql) : database_(database), sql_(std::move(sql)) {}
  ~Statement() { sqlite3_finalize(handle_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  // Binds its parameters, in order. Texts must live until it has run or is started again.
  template <class... Values>
  void start(const Values&... values) {
    if (!prepare()) return;
    int column = 0;
    (bind(++column, values), ...);
  }
  // To the next row. False at the end and after a failure; then the statement holds no lock any more.
  bool step();
  // Before the end is reached.
  void stop() { sqlite3_reset(handle_); }

  template <class... Values>
  void run(const Values&... values) {
    start(values...);
    while (step()) continue;
  }

  bool is_null(int column) const { return sqlite3_column_type(handle_, column) == SQLITE_NULL; }
  std::int64_t integer(int column) const { return sqlite3_column_int64(handle_, column); }
  std::uint64_t natural(int column) const { return static_cast<std::uint64_t>(integer(column)); }
  std::uint32_t natural32(int column) const { return static_cast<std::uint32_t>(integer(column)); }
  // Of text and of bytes. Valid until the next step.
  std::string_view text(int column) const;

 private:
  bool prepare();
  void bind(int column, std::int64_t value) { check(sqlite3_bind_int64(handle_, column, value)); }
  // Counters and ids stay below 2^63; digests may not, and come back as they were.
  void bind(int column, std::uint64_t value) { bind(column, static_cast<std::int64_t>(value)); }
  void bind(int column, std::uint32_t value) { bind(column, std::int64_t{value}); }
  void bind(int column, std::int32_t value) { bind(column, std::int64_t{value}); }
  void bind(int column, bool value) { bind(column, std::int64_t{value}); }
  void bind(int column, const Bytes& value);
  void bind(int column, std::string_view value);
  template <class Value>
  void bind(int column, const std::optional<Value>& value) {
    if (value) {
      bind(column, *value);
    } else {
      check(sqlite3_bind_null(handle_, column));
    }
  }
  void check(int code) {
    if (code != SQLITE_OK) database_.fail(code);
  }

  Database& database_;
  const std::string sql_;
  sqlite3_stmt* handle_ = nullptr;
};

}  // namespace hakuriver::storage
