// Two kinds of time. Deadlines and durations are monotonic; a moment that people read is UTC.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>

namespace hakuriver {
inline namespace v1 {

// Microseconds of a monotonic clock: comparable within one process (and, on Linux, one boot) only.
struct MonotonicTime {
  std::int64_t microseconds = 0;
  auto operator<=>(const MonotonicTime&) const = default;
};

// Microseconds since 1970-01-01T00:00:00Z. Zero means "not known" or "not yet".
struct UtcTime {
  std::int64_t microseconds = 0;
  auto operator<=>(const UtcTime&) const = default;
};

// What a decision may know of the time: both clocks, read once.
struct Now {
  MonotonicTime monotonic;
  UtcTime utc;
};

constexpr MonotonicTime operator+(MonotonicTime time, std::chrono::microseconds span) noexcept {
  return {time.microseconds + span.count()};
}
constexpr std::chrono::microseconds operator-(MonotonicTime later, MonotonicTime earlier) noexcept {
  return std::chrono::microseconds{later.microseconds - earlier.microseconds};
}
constexpr UtcTime operator+(UtcTime time, std::chrono::microseconds span) noexcept {
  return {time.microseconds + span.count()};
}

// "2025-04-18T12:00:00.123456+00:00", always with six decimals. RFC 3339, section 5.6.
inline std::string to_iso8601(UtcTime time) {
  using namespace std::chrono;
  const sys_time<microseconds> point{microseconds{time.microseconds}};
  const auto day = floor<days>(point);
  const year_month_day date{day};
  const hh_mm_ss<microseconds> clock{point - day};
  const auto digits = [](std::int64_t value, std::size_t width) {
    std::string text = std::to_string(value);
    return text.size() < width ? std::string(width - text.size(), '0') + text : text;
  };
  return digits(static_cast<int>(date.year()), 4) + "-" + digits(static_cast<unsigned>(date.month()), 2) + "-" +
         digits(static_cast<unsigned>(date.day()), 2) + "T" + digits(clock.hours().count(), 2) + ":" +
         digits(clock.minutes().count(), 2) + ":" + digits(clock.seconds().count(), 2) + "." +
         digits(clock.subseconds().count(), 6) + "+00:00";
}

}  // namespace v1
}  // namespace hakuriver
