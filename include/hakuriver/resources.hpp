// What a task asks for and a node has: CPU time in thousandths of a logical CPU, memory in bytes.
#pragma once

#include <charconv>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "hakuriver/result.hpp"

namespace hakuriver {
inline namespace v1 {

struct Resources {
  std::uint64_t millicores = 1000;  // 1000 is one logical CPU; 0 is unmetered
  std::uint64_t memory_bytes = 0;   // 0 is no limit and no reservation
  auto operator<=>(const Resources&) const = default;
};

// The most that one task may ask for, so that sums over a node cannot overflow.
inline constexpr std::uint64_t kMaxCores = 1'000'000;
inline constexpr std::uint64_t kMaxMemoryBytes = std::uint64_t{1} << 60;

namespace detail {

inline Error bad_memory_size(std::string_view text) {
  return Error{Errc::parse,
               "'" + std::string(text.substr(0, 64)) +
                   "' is not a memory size: expected a number with K, M, G, T (1024) or KB, MB, GB, TB (1000)"};
}

// The factor of a size suffix; 0 where it is none. "K" and "KiB" count by 1024, "KB" by 1000 (design: one meaning
// for the command line, the web page and Docker).
constexpr std::uint64_t memory_unit(std::string_view suffix) noexcept {
  if (suffix.empty() || suffix == "b" || suffix == "B") return 1;
  constexpr std::string_view kLetters = "KMGT";
  const char upper = suffix[0] >= 'a' && suffix[0] <= 'z' ? static_cast<char>(suffix[0] - 'a' + 'A') : suffix[0];
  const auto power = kLetters.find(upper);
  if (power == std::string_view::npos) return 0;
  const std::string_view rest = suffix.substr(1);
  const bool decimal = rest == "B" || rest == "b";
  if (!decimal && !rest.empty() && rest != "i" && rest != "iB" && rest != "ib") return 0;
  std::uint64_t unit = 1;
  for (std::size_t i = 0; i <= power; ++i) unit *= decimal ? 1000 : 1024;
  return unit;
}

}  // namespace detail

// "512M" -> 536870912, "8GB" -> 8000000000, "1.5G" -> 1610612736. At most kMaxMemoryBytes; fractions are rounded down.
inline Result<std::uint64_t> parse_memory(std::string_view text) {
  const auto digits = text.find_first_not_of("0123456789.");
  const std::string_view number = text.substr(0, digits);
  const std::uint64_t unit = detail::memory_unit(digits == std::string_view::npos ? "" : text.substr(digits));
  double value = 0;
  const auto [end, error] =
      std::from_chars(number.data(), number.data() + number.size(), value, std::chars_format::fixed);
  if (number.empty() || error != std::errc{} || end != number.data() + number.size() || unit == 0) {
    return detail::bad_memory_size(text);
  }
  std::uint64_t whole = 0;
  const auto [whole_end, whole_error] = std::from_chars(number.data(), number.data() + number.size(), whole);
  const bool exact = whole_error == std::errc{} && whole_end == number.data() + number.size();
  if (value * static_cast<double>(unit) > static_cast<double>(kMaxMemoryBytes)) {
    return Error{Errc::limit, "memory '" + std::string(text.substr(0, 64)) + "' is more than 1024 PiB"};
  }
  return exact ? whole * unit : static_cast<std::uint64_t>(value * static_cast<double>(unit));
}

// The way back, for people: 536870912 -> "512M", 1610612736 -> "1.5G", 1000 -> "1000". Two decimals, rounded down.
inline std::string to_memory_text(std::uint64_t bytes) {
  constexpr std::string_view kUnits = "KMGT";
  std::uint64_t unit = 1;
  std::size_t power = 0;
  for (; power < kUnits.size() && bytes / unit >= 1024; ++power) unit *= 1024;
  std::string text = std::to_string(bytes / unit);
  const std::uint64_t hundredths = bytes % unit * 100 / unit;
  if (hundredths != 0) text += "." + std::to_string(100 + hundredths).substr(1);
  if (hundredths != 0 && text.back() == '0') text.pop_back();
  if (power != 0) text += kUnits[power - 1];
  return text;
}

// "4" -> 4000, "0.5" -> 500, "0" -> 0 (unmetered): up to three decimals, at most kMaxCores. The result is in
// millicores.
inline Result<std::uint64_t> parse_cores(std::string_view text) {
  const Error bad{Errc::parse, "'" + std::string(text.substr(0, 64)) +
                                   "' is not a number of cores: expected a number such as 4 or 0.5"};
  const auto point = text.find('.');
  const std::string_view whole = text.substr(0, point);
  const std::string_view decimals = point == std::string_view::npos ? std::string_view{} : text.substr(point + 1);
  if (whole.empty() || whole.size() > 7 || decimals.size() > 3 || (point != std::string_view::npos && decimals.empty()))
    return bad;
  std::uint64_t millicores = 0;
  for (const char c : whole) {
    if (c < '0' || c > '9') return bad;
    millicores = millicores * 10 + static_cast<std::uint64_t>(c - '0');
  }
  for (std::size_t i = 0; i < 3; ++i) {
    const char c = i < decimals.size() ? decimals[i] : '0';
    if (c < '0' || c > '9') return bad;
    millicores = millicores * 10 + static_cast<std::uint64_t>(c - '0');
  }
  if (millicores > kMaxCores * 1000) return Error{Errc::limit, "more than 1000000 cores"};
  return millicores;
}

}  // namespace v1
}  // namespace hakuriver
