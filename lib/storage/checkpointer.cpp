#include "storage/checkpointer.hpp"

#include "storage/database.hpp"

namespace hakuriver::storage {
namespace {

// At 4 KiB a page: a checkpoint is worth its syncs from 4 MiB on.
constexpr int kPagesWorthIt = 1'000;
// A writer that never pauses keeps the log from starting over; from 64 MiB on it is made to wait for a moment.
constexpr int kPagesTooMany = 16'000;

}  // namespace

Checkpointer::Checkpointer(const std::string& path, std::mutex& writing)
    : path_(path), writing_(writing), thread_([this] { run(); }) {}

Checkpointer::~Checkpointer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Checkpointer::log_has(int pages) {
  if (pages < kPagesWorthIt) return;
  {
    const std::lock_guard lock(mutex_);
    wanted_ = true;
  }
  wake_.notify_one();
}

bool Checkpointer::wait() {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return wanted_ || stopping_; });
  wanted_ = false;
  return !stopping_;
}

void Checkpointer::run() {
  while (wait()) checkpoint();
}

// A failure costs nothing but a longer log: it holds everything, and the next commit asks again. Each checkpoint has
// a connection of its own, so that none goes on with one that failed, and idle hosts keep no memory for it.
void Checkpointer::checkpoint() {
  auto opened = Database::open(path_, std::chrono::milliseconds{0});
  if (!opened) return;
  sqlite3* const handle = (*opened)->handle();
  (*opened)->execute("PRAGMA synchronous = FULL");
  int log_pages = 0;
  int done = 0;
  const int code = sqlite3_wal_checkpoint_v2(handle, nullptr, SQLITE_CHECKPOINT_PASSIVE, &log_pages, &done);
  if (code != SQLITE_OK || log_pages < kPagesTooMany) return;
  const std::lock_guard lock(writing_);
  sqlite3_wal_checkpoint_v2(handle, nullptr, SQLITE_CHECKPOINT_RESTART, nullptr, nullptr);
}

}  // namespace hakuriver::storage
