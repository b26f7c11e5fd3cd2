// The signals that stop a run, as a descriptor to read instead of handlers.
#pragma once

#include <signal.h>

#include <optional>
#include <vector>

#include "platform/descriptor.hpp"

namespace hakuriver::cli {

// While it lives, INT, TERM, HUP, QUIT and TSTP of the calling thread wait to be read, except those that were ignored
// before (nohup, or a background job), and writing to a closed pipe fails instead of ending the program.
class SignalWatch {
 public:
  SignalWatch();
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  int descriptor() const noexcept { return descriptor_.get(); }

  // The signals that it blocks, and that were not blocked before.
  std::vector<int> blocked() const;

  // The next signal that has come; nothing if there is none.
  std::optional<int> next() const;

  // Does to this process what TSTP does by default; returns when it is continued.
  static void stop_this_process();

 private:
  sigset_t before_{};
  sigset_t blocked_{};
  platform::Descriptor descriptor_;
};

}  // namespace hakuriver::cli
