// Reading back what to_iso8601 writes.
#pragma once

#include <algorithm>
#include <charconv>
#include <chrono>
#include <string>
#include <string_view>

#include "hakuriver/result.hpp"
#include "hakuriver/time.hpp"

namespace hakuriver::wire {

// "2025-04-18T12:00:00.123456+00:00" or "...Z", with or without a fraction. RFC 3339 in UTC only. Errc::parse.
inline Result<UtcTime> parse_iso8601(std::string_view text) {
  const Error bad{Errc::parse,
                  "'" + std::string(text.substr(0, 40)) + "' is not a time such as 2025-04-18T12:00:00.123456+00:00"};
  constexpr std::string_view kShape = "dddd-dd-ddTdd:dd:dd";
  if (text.size() < kShape.size()) return bad;
  for (std::size_t i = 0; i < kShape.size(); ++i) {
    const bool fits = kShape[i] == 'd' ? text[i] >= '0' && text[i] <= '9' : text[i] == kShape[i];
    if (!fits) return bad;
  }
  const auto number = [&](std::size_t from, std::size_t length) {
    int value = 0;
    std::from_chars(text.data() + from, text.data() + from + length, value);
    return value;
  };
  std::string_view rest = text.substr(kShape.size());
  std::int64_t fraction = 0;
  if (rest.starts_with('.')) {
    const std::size_t digits = std::min(rest.find_first_not_of("0123456789", 1), rest.size()) - 1;
    if (digits == 0 || digits > 9) return bad;
    for (std::size_t i = 0; i < 6; ++i) fraction = fraction * 10 + (i < digits ? rest[i + 1] - '0' : 0);
    rest.remove_prefix(digits + 1);
  }
  using namespace std::chrono;
  const year_month_day date{year{number(0, 4)}, month(static_cast<unsigned>(number(5, 2))),
                            day(static_cast<unsigned>(number(8, 2)))};
  if (!date.ok() || number(11, 2) > 23 || number(14, 2) > 59 || number(17, 2) > 60) return bad;
  if (rest != "+00:00" && rest != "Z") return bad;
  const auto point = sys_days{date} + hours{number(11, 2)} + minutes{number(14, 2)} + seconds{number(17, 2)};
  return UtcTime{duration_cast<microseconds>(point.time_since_epoch()).count() + fraction};
}

}  // namespace hakuriver::wire
