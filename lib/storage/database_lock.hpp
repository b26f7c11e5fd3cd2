// Admits one host to a database: a lock on a file beside it, which goes with the process however it ends.
#pragma once

#include <string>
#include <utility>

#include "hakuriver/result.hpp"

namespace hakuriver::storage {

class DatabaseLock {
 public:
  // Creates `<database>.lock` where it is missing. Errc::conflict, naming the holder's pid, where it is held, also by
  // another store of this process; not_found where the directory is missing; io where the system refuses.
  static Result<DatabaseLock> take(const std::string& database);

  DatabaseLock(DatabaseLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  DatabaseLock& operator=(DatabaseLock&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  DatabaseLock(const DatabaseLock&) = delete;
  DatabaseLock& operator=(const DatabaseLock&) = delete;
  ~DatabaseLock();

 private:
  explicit DatabaseLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_ = -1;
};

// Makes an empty file with mode 0600 where there is none: its log takes the same mode.
Status create_database_file(const std::string& path);

}  // namespace hakuriver::storage
