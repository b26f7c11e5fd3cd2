// Ctrl-C while something waits: the signal becomes a call, made from a thread of its own.
#pragma once

#include <signal.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "hakuriver/result.hpp"
#include "platform/descriptor.hpp"

namespace hakuriver::cli {

// While it lives, INT and TERM do not end the process, except where they were ignored before and stay so. It must be
// older than every other thread: one that does not hold the signals back would get them.
class Interruption {
 public:
  // `on_signal` is called once, from another thread.
  explicit Interruption(std::function<void()> on_signal);
  ~Interruption();
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;

  // The signal that came; 0: none yet.
  int signal() const noexcept { return signal_.load(); }
  // False where a signal ended it early.
  bool sleep(std::chrono::milliseconds time);
  // Returns when a signal has come.
  void wait();

 private:
  void watch();

  std::function<void()> on_signal_;
  sigset_t before_{};
  platform::Descriptor signals_;
  platform::Descriptor over_;
  std::atomic<int> signal_{0};
  std::mutex mutex_;
  std::condition_variable came_;
  std::thread thread_;
};

}  // namespace hakuriver::cli
