#include "storage/fault_vfs.hpp"

#include <filesystem>
#include <fstream>
#include <utility>

namespace hakuriver::test {

// Lies in memory that SQLite gives; the file that it wraps lies behind it.
struct FaultVfs::File {
  sqlite3_file self;  // first: SQLite knows it by this
  FaultVfs* disk;
  const char* path;  // SQLite keeps it while the file is open; null for temporary files

  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }

  static File* of(sqlite3_file* file) { return reinterpret_cast<File*>(file); }
  static FaultVfs* disk_of(sqlite3_vfs* vfs) { return static_cast<FaultVfs*>(vfs->pAppData); }
  static sqlite3_file* real_of(sqlite3_file* file) { return of(file)->real(); }

  static int open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* out_flags);
  static int remove(sqlite3_vfs* vfs, const char* path, int sync_directory);
  static int write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset);
  static int truncate(sqlite3_file* file, sqlite3_int64 size);
  static int sync(sqlite3_file* file, int flags);
};

int FaultVfs::File::open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* out_flags) {
  File* const opened = of(file);
  opened->disk = disk_of(vfs);
  opened->path = path;
  opened->self.pMethods = nullptr;
  const int code = opened->disk->base_->xOpen(opened->disk->base_, path, opened->real(), flags, out_flags);
  if (code == SQLITE_OK) opened->self.pMethods = methods();
  return code;
}

int FaultVfs::File::remove(sqlite3_vfs* vfs, const char* path, int /*sync_directory*/) {
  FaultVfs* const disk = disk_of(vfs);
  const std::lock_guard lock(disk->mutex_);
  disk->synced_.erase(path);
  return disk->base_->xDelete(disk->base_, path, 0);
}

int FaultVfs::File::write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
  sqlite3_file* const real = real_of(file);
  const int code = of(file)->disk->next(false);
  if (code == SQLITE_OK) return real->pMethods->xWrite(real, data, size, offset);
  if (code == SQLITE_IOERR_WRITE) real->pMethods->xWrite(real, data, size / 2, offset);
  return code;
}

int FaultVfs::File::truncate(sqlite3_file* file, sqlite3_int64 size) {
  const int code = of(file)->disk->next(false);
  if (code != SQLITE_OK) return code == SQLITE_FULL ? code : SQLITE_IOERR_TRUNCATE;
  return real_of(file)->pMethods->xTruncate(real_of(file), size);
}

// The real file is not synced: these tests outlive no machine.
int FaultVfs::File::sync(sqlite3_file* file, int /*flags*/) {
  const int code = of(file)->disk->next(true);
  if (code == SQLITE_OK) of(file)->disk->note_synced(*of(file));
  return code;
}

const sqlite3_io_methods* FaultVfs::methods() {
  static const sqlite3_io_methods kMethods{
      3,
      [](sqlite3_file* file) { return File::real_of(file)->pMethods->xClose(File::real_of(file)); },
      [](sqlite3_file* file, void* data, int size, sqlite3_int64 offset) {
        return File::real_of(file)->pMethods->xRead(File::real_of(file), data, size, offset);
      },
      File::write,
      File::truncate,
      File::sync,
      [](sqlite3_file* file, sqlite3_int64* size) {
        return File::real_of(file)->pMethods->xFileSize(File::real_of(file), size);
      },
      [](sqlite3_file* file, int level) { return File::real_of(file)->pMethods->xLock(File::real_of(file), level); },
      [](sqlite3_file* file, int level) { return File::real_of(file)->pMethods->xUnlock(File::real_of(file), level); },
      [](sqlite3_file* file, int* out) {
        return File::real_of(file)->pMethods->xCheckReservedLock(File::real_of(file), out);
      },
      [](sqlite3_file* file, int operation, void* argument) {
        return File::real_of(file)->pMethods->xFileControl(File::real_of(file), operation, argument);
      },
      [](sqlite3_file* file) { return File::real_of(file)->pMethods->xSectorSize(File::real_of(file)); },
      [](sqlite3_file* file) { return File::real_of(file)->pMethods->xDeviceCharacteristics(File::real_of(file)); },
      [](sqlite3_file* file, int page, int size, int extend, void volatile** out) {
        return File::real_of(file)->pMethods->xShmMap(File::real_of(file), page, size, extend, out);
      },
      [](sqlite3_file* file, int offset, int n, int flags) {
        return File::real_of(file)->pMethods->xShmLock(File::real_of(file), offset, n, flags);
      },
      [](sqlite3_file* file) { File::real_of(file)->pMethods->xShmBarrier(File::real_of(file)); },
      [](sqlite3_file* file, int remove) {
        return File::real_of(file)->pMethods->xShmUnmap(File::real_of(file), remove);
      },
      [](sqlite3_file* /*file*/, sqlite3_int64 /*offset*/, int /*size*/, void** out) {
        *out = nullptr;  // no memory map: every write passes here
        return SQLITE_OK;
      },
      [](sqlite3_file* /*file*/, sqlite3_int64 /*offset*/, void* /*page*/) { return SQLITE_OK; },
  };
  return &kMethods;
}

FaultVfs::FaultVfs() : vfs_(*sqlite3_vfs_find(nullptr)), base_(sqlite3_vfs_find(nullptr)) {
  vfs_.zName = "hakuriver-fault";
  vfs_.pAppData = this;
  vfs_.pNext = nullptr;
  vfs_.szOsFile += static_cast<int>(sizeof(File));
  vfs_.xOpen = File::open;
  vfs_.xDelete = File::remove;
  sqlite3_vfs_register(&vfs_, 1);
}

FaultVfs::~FaultVfs() {
  sqlite3_vfs_unregister(&vfs_);
  sqlite3_vfs_register(base_, 1);
}

void FaultVfs::fail_at(int n, Fault fault, bool for_ever) {
  const std::lock_guard lock(mutex_);
  left_ = n;
  fault_ = fault;
  for_ever_ = for_ever;
  reached_ = false;
}

bool FaultVfs::disarm() {
  const std::lock_guard lock(mutex_);
  left_ = 0;
  for_ever_ = false;
  return std::exchange(reached_, false);
}

int FaultVfs::next(bool is_sync) {
  const std::lock_guard lock(mutex_);
  const bool due = left_ == 1 || (reached_ && for_ever_);
  if (left_ > 1) --left_;
  if (!due || (fault_ == Fault::sync_error && !is_sync)) return SQLITE_OK;
  left_ = 0;
  reached_ = true;
  if (fault_ == Fault::full && !is_sync) return SQLITE_FULL;
  return is_sync ? SQLITE_IOERR_FSYNC : SQLITE_IOERR_WRITE;
}

void FaultVfs::note_synced(const File& file) {
  if (file.path == nullptr) return;
  std::string content(std::filesystem::file_size(file.path), '\0');
  std::ifstream(file.path, std::ios::binary).read(content.data(), static_cast<std::streamsize>(content.size()));
  const std::lock_guard lock(mutex_);
  synced_[file.path] = std::move(content);
}

void FaultVfs::leave_after_power_cut(const std::string& prefix, const std::string& copy_prefix) {
  const std::lock_guard lock(mutex_);
  for (const auto& [path, content] : synced_) {
    if (path.compare(0, prefix.size(), prefix) != 0) continue;
    std::ofstream(copy_prefix + path.substr(prefix.size()), std::ios::binary) << content;
  }
}

}  // namespace hakuriver::test
