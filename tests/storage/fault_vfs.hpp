// A disk that fails when it is told to, and that forgets what was never synced.
#pragma once

#include <sqlite3.h>

#include <map>
#include <mutex>
#include <string>

namespace hakuriver::test {

// While it lives it is SQLite's default file layer. Writes, truncations and syncs are counted; reads are not.
class FaultVfs {
 public:
  enum class Fault {
    write_error,  // half of the bytes are written
    full,
    sync_error,  // writes go through; the next sync fails
  };

  FaultVfs();
  ~FaultVfs();
  FaultVfs(const FaultVfs&) = delete;
  FaultVfs& operator=(const FaultVfs&) = delete;

  // The n-th operation from now on fails, 1 being the next one; with `for_ever` all after it fail too.
  void fail_at(int n, Fault fault, bool for_ever);
  // Whether the operation was reached. Nothing fails any more.
  bool disarm();

  // Writes what a power cut would leave now, of all files whose path begins with `prefix`, to paths that begin with
  // `copy_prefix` instead.
  void leave_after_power_cut(const std::string& prefix, const std::string& copy_prefix);

 private:
  struct File;
  friend struct File;

  static const sqlite3_io_methods* methods();
  // SQLITE_OK, or how the operation fails.
  int next(bool is_sync);
  void note_synced(const File& file);

  sqlite3_vfs vfs_;
  sqlite3_vfs* base_;
  std::mutex mutex_;
  int left_ = 0;  // operations until the fault; 0: none is planned
  bool reached_ = false;
  bool for_ever_ = false;
  Fault fault_ = Fault::write_error;
  std::map<std::string, std::string> synced_;  // by path: the file when it was last synced
};

}  // namespace hakuriver::test
