// Writes the log back into the database on a thread of its own, so that no commit waits for it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace hakuriver::storage {

class Checkpointer {
 public:
  // `writing` is held by the writer during each commit. It and the path must outlive the checkpointer.
  Checkpointer(const std::string& path, std::mutex& writing);
  // Ends the thread; a checkpoint under way is finished first.
  ~Checkpointer();

  // After a commit. `pages` is the length of the log; a short one wakes nobody.
  void log_has(int pages);

 private:
  void run();
  bool wait();
  void checkpoint();

  const std::string& path_;
  std::mutex& writing_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool wanted_ = false;    // guarded by mutex_
  bool stopping_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace hakuriver::storage
