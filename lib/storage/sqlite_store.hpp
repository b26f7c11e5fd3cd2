// The task store in one SQLite file: a host's whole memory.
//
// A commit is on disk when it returns (write-ahead log, synchronous=FULL). The file, its log and its lock file
// `<path>.lock` have mode 0600, because environments may hold secrets. The directory must be on a local file system.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "hakuriver/ids.hpp"
#include "hakuriver/result.hpp"
#include "hakuriver/task_store.hpp"

namespace hakuriver::storage {

struct SqliteOptions {
  // This start's epoch is the highest of this and one more than the last. A host that accepts an older copy of its
  // database gives unix seconds here, so that it outranks every start that the copy does not know of.
  Epoch least_epoch;
  // How long a commit waits for another program that writes to the same file, such as a backup.
  std::chrono::milliseconds busy_timeout{5000};
};

// Opens the database for the one host that may write to it, or makes it; its directory must exist. Raises the epoch
// and commits that. Fails with one line that names the path:
// - conflict: another host has it open (its pid is told), it is not a database of hakuriver, or a newer one;
// - not_found: its directory is missing;
// - io: the system refused, or the file is damaged.
//
// commit() fails with io where the disk refuses, with unavailable where another program keeps the file locked, and
// with internal for a record that contradicts what is stored. After each of these, and after a failed load(), the
// connection is closed, and commit() fails with unavailable until load() has succeeded. The destructor writes the
// log back into the file; readers may stay open.
Result<std::unique_ptr<TaskStore>> open_sqlite_store(const std::string& path, const SqliteOptions& options = {});

// Opens a database that a host has made, for reading, beside its host or without one. The same errors but for the
// lock. It keeps the last batch that was asked for in memory.
Result<std::unique_ptr<TaskReader>> open_sqlite_reader(const std::string& path);

}  // namespace hakuriver::storage
