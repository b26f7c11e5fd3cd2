// Ends a blocked call: when it is cancelled, or when its whole time is over. httplib bounds single reads only.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "http/descriptor.hpp"

namespace hakuriver::http {

// One call at a time. The thread behind it starts with the first call and sleeps while there is nothing to end.
class CallGuard {
 public:
  using Clock = std::chrono::steady_clock;
  enum class Ending { none, cancelled, overdue };

  CallGuard() = default;
  ~CallGuard();

  // False where the client is cancelled. `deadline` may be Clock::time_point::max().
  bool begin(Clock::time_point deadline);
  Ending end();
  // For good.
  void cancel() noexcept;
  bool is_cancelled() const;

  // The socket that the call uses from now on. Keeps a descriptor of its own for it: the number may be closed and
  // used again for something else at any time.
  void use_socket(int fd);
  // Whether what is written waits for more, so that it leaves in full segments: tcp(7), TCP_CORK. Turned off, what
  // waits leaves at once. Counts for the socket in use and for those to come.
  void hold_segments(bool hold);
  // Sockets seen so far: a call that saw none used one kept from earlier.
  unsigned sockets_seen() const;

 private:
  void watch();

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Descriptor socket_;
  unsigned sockets_seen_ = 0;
  bool holds_segments_ = false;
  bool is_calling_ = false;
  bool is_cancelled_ = false;
  bool is_closing_ = false;
  Ending ending_ = Ending::none;
  Clock::time_point deadline_ = Clock::time_point::max();
  Clock::time_point wakes_at_ = Clock::time_point::max();
  std::thread thread_;
};

}  // namespace hakuriver::http
