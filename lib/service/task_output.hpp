// What tasks have written, as the host's own view of the shared directory shows it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "hakuriver/http.hpp"
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

// Sends files as they grow, over any number of streams, with one thread that sleeps while there are none. Files on a
// network file system tell nobody that they grew, so they are looked at ten times a second.
class OutputFollower {
 public:
  OutputFollower() = default;
  ~OutputFollower();
  OutputFollower(const OutputFollower&) = delete;
  OutputFollower& operator=(const OutputFollower&) = delete;

  // What the two sides of one stream share; any thread may set either.
  struct Signals {
    std::atomic<bool> is_over{false};  // the file does not grow any more
    std::atomic<bool> is_gone{false};  // nobody reads any more
  };

  // Sends the file from `offset` on, until it is over and all was sent.
  void follow(std::shared_ptr<HttpStream> stream, std::string path, std::uint64_t offset,
              std::shared_ptr<Signals> signals);

 private:
  struct Follow {
    std::shared_ptr<HttpStream> stream;
    std::string path;
    std::uint64_t offset = 0;
    std::shared_ptr<Signals> signals;
  };
  void run();
  static bool send_more(Follow& follow);

  std::mutex mutex_;
  std::condition_variable wake_;
  std::list<Follow> follows_;  // guarded by mutex_
  bool stopping_ = false;      // guarded by mutex_
  std::thread thread_;
};

}  // namespace hakuriver::service
