// A descriptor to watch for two things: another descriptor, and the passing of time.
#pragma once

#include "platform/descriptor.hpp"

namespace hakuriver::cli {

class WatchedTimer {
 public:
  // Without `ticks`, and where the system refuses, it is the other descriptor alone.
  WatchedTimer(int other, bool ticks);

  // Readable where the other one is, or about five times a second.
  int descriptor() const noexcept { return set_.is_open() ? set_.get() : other_; }

  // To be called when it was readable.
  void take_tick() const;

 private:
  int other_;
  platform::Descriptor timer_;
  platform::Descriptor set_;
};

}  // namespace hakuriver::cli
