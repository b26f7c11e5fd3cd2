#include "platform/clock.hpp"

#include <time.h>

#include <cstdint>

namespace hakuriver::platform {
namespace {

std::int64_t read_microseconds(clockid_t clock) noexcept {
  timespec time{};
  if (::clock_gettime(clock, &time) != 0) ::clock_gettime(CLOCK_MONOTONIC, &time);
  return std::int64_t{time.tv_sec} * 1'000'000 + time.tv_nsec / 1000;
}

}  // namespace

MonotonicTime monotonic_now() noexcept { return {read_microseconds(CLOCK_BOOTTIME)}; }

UtcTime utc_now() noexcept { return {read_microseconds(CLOCK_REALTIME)}; }

Now now() noexcept { return {monotonic_now(), utc_now()}; }

}  // namespace hakuriver::platform
