// A descriptor that one thread makes readable and another one waits for.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "hakuriver/result.hpp"

namespace hakuriver::service {

class WakeDescriptor {
 public:
  static Result<WakeDescriptor> open() {
    const int number = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (number < 0) return Error{Errc::io, "eventfd: " + std::generic_category().message(errno)};
    return WakeDescriptor(number);
  }
  WakeDescriptor(WakeDescriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  WakeDescriptor& operator=(WakeDescriptor&&) = delete;
  ~WakeDescriptor() {
    if (number_ >= 0) ::close(number_);
  }

  int get() const noexcept { return number_; }
  // From any thread and from a signal handler.
  void set() const noexcept { ::eventfd_write(number_, 1); }
  void clear() const noexcept {
    eventfd_t count = 0;
    ::eventfd_read(number_, &count);
  }

 private:
  explicit WakeDescriptor(int number) noexcept : number_(number) {}
  int number_;
};

}  // namespace hakuriver::service
