// Lengths of time as people write them.
#pragma once

#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

#include "hakuriver/result.hpp"

namespace hakuriver {
inline namespace v1 {

namespace detail {

struct TimeUnit {
  std::string_view name;
  std::int64_t milliseconds;
};
inline constexpr std::array<TimeUnit, 6> kTimeUnits = {
    {{"w", 604'800'000}, {"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}}};
inline constexpr std::int64_t kLongestDuration = 36'500LL * 86'400'000;

inline Error bad_duration(std::string_view text) {
  return Error{Errc::parse,
               "'" + std::string(text.substr(0, 64)) +
                   "' is not a duration: expected a number of seconds, or one with ms, s, m, h, d or w such as 30s"};
}

inline Error duration_too_long() { return Error{Errc::limit, "longer than 36500 days"}; }

// Takes the digits off the front, with one point between them; none where there are none, or more than 15.
inline Result<double> take_duration_number(std::string_view& rest, std::string_view text) {
  const std::string_view digits = rest.substr(0, rest.find_first_not_of("0123456789."));
  double number = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), number, std::chars_format::fixed);
  const bool edges = !digits.empty() && digits.front() != '.' && digits.back() != '.';
  if (!edges || digits.size() > 15 || error != std::errc{} || end != digits.data() + digits.size()) {
    return bad_duration(text);
  }
  rest.remove_prefix(digits.size());
  return number;
}

inline std::size_t take_time_unit(std::string_view& rest) {
  const std::string_view name = rest.substr(0, rest.find_first_of("0123456789."));
  std::size_t unit = 0;
  while (unit < kTimeUnits.size() && kTimeUnits[unit].name != name) ++unit;
  rest.remove_prefix(name.size());
  return unit;
}

}  // namespace detail

// A number of seconds, not negative, as parse_duration takes it.
inline Result<std::chrono::milliseconds> to_duration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return Error{Errc::parse, "not a length of time"};
  const double milliseconds = std::floor(seconds * 1000 + 1e-6);
  if (milliseconds > static_cast<double>(detail::kLongestDuration)) return detail::duration_too_long();
  return std::chrono::milliseconds{static_cast<std::int64_t>(milliseconds)};
}

// "30s", "5m", "2h", "30d", "1w", "500ms", "1.5h", "1d12h": numbers with units from the largest to the smallest; a
// number alone is seconds. Up to three decimals, rounded down to milliseconds; at most 36500 days.
inline Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  std::string_view rest = text;
  double seconds = 0;
  std::size_t next = 0;
  do {
    const auto number = detail::take_duration_number(rest, text);
    if (!number) return number.error();
    if (rest.empty() && next == 0) return to_duration(*number);
    const std::size_t unit = detail::take_time_unit(rest);
    if (unit < next || unit == detail::kTimeUnits.size()) return detail::bad_duration(text);
    next = unit + 1;
    seconds += *number * static_cast<double>(detail::kTimeUnits[unit].milliseconds) / 1000;
  } while (!rest.empty());
  return to_duration(seconds);
}

// The shortest of its spellings in one unit: 90 s is "90s", 120 s is "2m", nothing is "0s".
inline std::string to_duration_text(std::chrono::milliseconds duration) {
  if (duration.count() == 0) return "0s";
  std::size_t unit = 1;
  while (duration.count() % detail::kTimeUnits[unit].milliseconds != 0) ++unit;
  return std::to_string(duration.count() / detail::kTimeUnits[unit].milliseconds) +
         std::string(detail::kTimeUnits[unit].name);
}

}  // namespace v1
}  // namespace hakuriver
