// The database's tables, and the first things a host does to it.
#pragma once

#include <cstdint>
#include <string>

#include "hakuriver/ids.hpp"
#include "hakuriver/result.hpp"
#include "storage/database.hpp"

namespace hakuriver::storage {

inline constexpr std::int64_t kApplicationId = 0x68616b75;  // "haku", in the file's header
inline constexpr std::int64_t kSchemaVersion = 4;           // SQLite's user_version

// Errc::conflict where the file is another program's, or of a newer version than ours. An empty file is ours.
Status check_identity(Database& database);

// Settings of a connection that writes. The database must be ours.
Status prepare_for_writing(Database& database);

// Writes the log back into the file and empties it. After a failed sync the system may take for written what is only
// in memory; what is read after this is on the disk. A full disk is no failure: then nothing new was written, and
// the log is still what it was.
Status settle_log(Database& database);

// In one commit: brings the tables to the present version, names the cluster where it has no name yet, raises the
// epoch to at least `least`, and notes that the database is in use.
//
// Before, the file is checked (quick_check, for a second at most) if the machine went down while it was in use. A
// process that dies alone cannot damage it, so then the check, which reads the whole file, is not made.
Status begin_epoch(Database& database, Epoch least);

// Notes that nobody uses the database, and writes the log back into it.
Status end_epoch(Database& database);

}  // namespace hakuriver::storage
