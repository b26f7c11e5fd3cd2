// The store in memory: for tests, and for a host inside a program that wants nothing on disk.
#pragma once

#include <cstdint>
#include <memory>

#include "hakuriver/task_store.hpp"

namespace hakuriver::storage {

// What outlives the stores that are opened on it, as a disk would. Any thread may use it.
class MemoryDisk {
 public:
  MemoryDisk();
  ~MemoryDisk();
  MemoryDisk(const MemoryDisk&) = delete;
  MemoryDisk& operator=(const MemoryDisk&) = delete;

  // The n-th commit from now on, 1 being the next one, fails with Errc::io. `landed`: what it wrote is there all the
  // same, as after a power cut between writing and telling.
  void fail_commit(std::uint64_t n, bool landed = false);

  struct Content;
  Content& content() noexcept { return *content_; }

 private:
  std::unique_ptr<Content> content_;
};

// A store on a disk that may hold earlier ones' work. Its first load() raises the epoch.
std::unique_ptr<TaskStore> open_memory_store(std::shared_ptr<MemoryDisk> disk);
std::unique_ptr<TaskReader> open_memory_reader(std::shared_ptr<MemoryDisk> disk);

}  // namespace hakuriver::storage
