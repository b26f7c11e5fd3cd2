// What tasks have written, as the host's own view of the shared directory shows it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>

#include "hakuriver/result.hpp"

namespace hakuriver::service {

struct OutputRange {
  std::string bytes;
  std::uint64_t size = 0;  // of the whole file when it was read
};

// Bytes from `offset` on, at most `limit`; none beyond the end. not_found where there is no such regular file;
// symbolic links are not followed.
Result<OutputRange> read_output(const std::string& path, std::uint64_t offset, std::uint64_t limit);

// Where the last `lines` lines begin. A last line without its end counts.
Result<std::uint64_t> offset_of_last_lines(const std::string& path, std::uint64_t lines);

// Takes steps, each for one stream that follows a file, with one thread that sleeps while there are none. Files on a
// network file system tell nobody that they grew, so there are ten steps a second.
class OutputFollower {
 public:
  // Must not block. False: there is nothing more to do.
  using Step = std::function<bool()>;

  OutputFollower() = default;
  ~OutputFollower();
  OutputFollower(const OutputFollower&) = delete;
  OutputFollower& operator=(const OutputFollower&) = delete;

  // The step is called on the follower's thread until it returns false, or is dropped at the stop.
  void add(Step step);
  // From then on no step is taken.
  void stop() noexcept;

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::list<Step> steps_;  // guarded by mutex_
  bool stopping_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace hakuriver::service
