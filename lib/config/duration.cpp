#include "config/duration.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>

namespace hakuriver::config {
namespace {

struct TimeUnit {
  std::string_view name;
  std::int64_t milliseconds;
};
constexpr std::array<TimeUnit, 6> kUnits = {
    {{"w", 604'800'000}, {"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}}};
constexpr std::int64_t kMost = 36'500LL * 86'400'000;

Error bad_duration(std::string_view text) {
  return Error{Errc::parse,
               "'" + std::string(text.substr(0, 64)) +
                   "' is not a duration: expected a number of seconds, or one with ms, s, m, h, d or w such as 30s"};
}

Error too_long() { return Error{Errc::limit, "longer than 36500 days"}; }

// Takes the digits off the front, with one point between them; none where there are none, or more than 15.
Result<double> take_number(std::string_view& rest, std::string_view text) {
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

std::size_t take_unit(std::string_view& rest) {
  const std::string_view name = rest.substr(0, rest.find_first_of("0123456789."));
  std::size_t unit = 0;
  while (unit < kUnits.size() && kUnits[unit].name != name) ++unit;
  rest.remove_prefix(name.size());
  return unit;
}

}  // namespace

Result<std::chrono::milliseconds> to_duration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return Error{Errc::parse, "not a length of time"};
  const double milliseconds = std::floor(seconds * 1000 + 1e-6);
  if (milliseconds > static_cast<double>(kMost)) return too_long();
  return std::chrono::milliseconds{static_cast<std::int64_t>(milliseconds)};
}

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  std::string_view rest = text;
  double seconds = 0;
  std::size_t next = 0;
  do {
    const auto number = take_number(rest, text);
    if (!number) return number.error();
    if (rest.empty() && next == 0) return to_duration(*number);
    const std::size_t unit = take_unit(rest);
    if (unit < next || unit == kUnits.size()) return bad_duration(text);
    next = unit + 1;
    seconds += *number * static_cast<double>(kUnits[unit].milliseconds) / 1000;
  } while (!rest.empty());
  return to_duration(seconds);
}

std::string to_string(std::chrono::milliseconds duration) {
  if (duration.count() == 0) return "0s";
  std::size_t unit = 1;
  while (duration.count() % kUnits[unit].milliseconds != 0) ++unit;
  return std::to_string(duration.count() / kUnits[unit].milliseconds) + std::string(kUnits[unit].name);
}

}  // namespace hakuriver::config
