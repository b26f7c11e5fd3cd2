// The two clocks, and one line for an errno.
#pragma once

#include <time.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "hakuriver/result.hpp"
#include "hakuriver/time.hpp"

namespace hakuriver::keeper {

inline std::int64_t microseconds_of(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000 + time.tv_nsec / 1000;
}

inline MonotonicTime monotonic_now() { return {microseconds_of(CLOCK_MONOTONIC)}; }
inline UtcTime utc_now() { return {microseconds_of(CLOCK_REALTIME)}; }

// The time since boot in the unit of /proc/PID/stat.
inline std::uint64_t ticks_since_boot() {
  static const std::int64_t per_second = ::sysconf(_SC_CLK_TCK);
  return static_cast<std::uint64_t>(microseconds_of(CLOCK_BOOTTIME) / (1'000'000 / per_second));
}

// "'/x/y': No such file or directory"
inline std::string describe_errno(std::string_view thing, int error) {
  return "'" + std::string(thing) + "': " + std::strerror(error);
}

inline Error io_error(std::string_view thing, int error) { return Error{Errc::io, describe_errno(thing, error)}; }

}  // namespace hakuriver::keeper
