// What a shell left of braces: an unquoted span:{1..3} arrives as span:1 span:2 span:3, and two of them in a row as one
// longer run. Here the values of such a run are taken apart into the lists that were most likely typed.
//
//   1 2 3          one list
//   A B A B        equal blocks: as many lists
//   32 64 10 20    numbers that fall back after rising, every part even: 32 64 | 10 20
//   42 7 13, 1 2 A, 1 1     cannot be told: an error
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "hakuriver/result.hpp"

namespace hakuriver {
inline namespace v1 {

// How many values belong to each list, in order.
using ListLengths = std::vector<std::size_t>;

namespace shell_run_detail {

// Whole numbers of 64 bits are exact in a long double, decimals as near as comparing them needs.
inline std::optional<long double> parse_number(std::string_view text) {
  const std::string_view digits = !text.empty() && text.front() == '-' ? text.substr(1) : text;
  if (digits.empty() || std::string_view("0123456789.").find(digits.front()) == std::string_view::npos) {
    return std::nullopt;
  }
  long double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// The smallest b that divides the length so that the values are blocks of b, all equal (Knuth-Morris-Pratt's borders).
inline std::size_t block_length(const std::vector<std::string_view>& values) {
  std::vector<std::size_t> border(values.size(), 0);
  for (std::size_t i = 1; i < values.size(); ++i) {
    std::size_t length = border[i - 1];
    while (length > 0 && values[i] != values[length]) length = border[length - 1];
    border[i] = values[i] == values[length] ? length + 1 : length;
  }
  const std::size_t block = values.size() - border.back();
  return values.size() % block == 0 ? block : values.size();
}

using Numbers = std::vector<long double>;

inline bool is_monotone(const Numbers& numbers) {
  const bool up = numbers[1] > numbers[0];
  for (std::size_t i = 1; i < numbers.size(); ++i) {
    if (up ? !(numbers[i] > numbers[i - 1]) : !(numbers[i] < numbers[i - 1])) return false;
  }
  return true;
}

// Rising by equal steps or equal ratios, apart from rounding.
inline bool is_even(const Numbers& numbers, std::size_t first, std::size_t length) {
  constexpr long double kRounding = 1e-12L;
  const long double a = numbers[first];
  const long double b = numbers[first + 1];
  bool steps = true;
  bool ratios = a != 0 && b != 0;
  for (std::size_t i = first + 1; i < first + length; ++i) {
    const long double x = numbers[i - 1];
    const long double y = numbers[i];
    if (!(y > x)) return false;
    steps = steps && std::fabs((y - x) - (b - a)) <= kRounding * (std::fabs(x) + std::fabs(y));
    ratios = ratios && std::fabs(y * a - x * b) <= kRounding * (std::fabs(y * a) + std::fabs(x * b));
  }
  return steps || ratios;
}

// Cut where the numbers fall; nothing where a part is short or uneven.
inline std::optional<ListLengths> cut_at_falls(const Numbers& numbers) {
  ListLengths lengths;
  std::size_t first = 0;
  for (std::size_t i = 1; i <= numbers.size(); ++i) {
    if (i < numbers.size() && numbers[i] >= numbers[i - 1]) continue;
    if (i - first < 2 || !is_even(numbers, first, i - first)) return std::nullopt;
    lengths.push_back(i - first);
    first = i;
  }
  return lengths;
}

inline std::optional<std::string_view> repeated_value(const std::vector<std::string_view>& values) {
  std::unordered_set<std::string_view> seen;
  for (const auto value : values) {
    if (!seen.insert(value).second) return value;
  }
  return std::nullopt;
}

// One block, whose values are all numbers or (`numbers` is empty) all words.
inline Result<ListLengths> read_block(const std::vector<std::string_view>& values, const Numbers& numbers,
                                      bool is_one_of_several) {
  const ListLengths one_list{values.size()};
  if (!numbers.empty()) {
    if (is_monotone(numbers)) return one_list;
    if (auto lengths = cut_at_falls(numbers)) return *lengths;
    const bool sorted =
        std::is_sorted(numbers.begin(), numbers.end()) || std::is_sorted(numbers.rbegin(), numbers.rend());
    if (!sorted && !is_one_of_several) return Error{Errc::parse, "its numbers change direction"};
  }
  if (const auto repeated = repeated_value(values)) {
    return Error{Errc::parse, "it has '" + std::string(*repeated) + "' more than once"};
  }
  return one_list;
}

}  // namespace shell_run_detail

// `values` are two or more. The error says what is wrong with them ("it mixes numbers and words").
inline Result<ListLengths> read_shell_run(const std::vector<std::string_view>& values) {
  using namespace shell_run_detail;
  const std::size_t block = block_length(values);
  if (block == 1) return Error{Errc::parse, "it has '" + std::string(values.front()) + "' more than once"};

  const std::vector<std::string_view> first_block(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(block));
  Numbers numbers;
  for (const auto value : first_block) {
    if (const auto number = parse_number(value)) numbers.push_back(*number);
  }
  if (!numbers.empty() && numbers.size() != block) return Error{Errc::parse, "it mixes numbers and words"};

  const auto lengths = read_block(first_block, numbers, block < values.size());
  if (!lengths) return lengths.error();
  ListLengths all;
  for (std::size_t i = 0; i < values.size() / block; ++i) all.insert(all.end(), lengths->begin(), lengths->end());
  return all;
}

// The lists to suggest where a run cannot be read: cut where numbers and words meet, if no part is a single value.
inline ListLengths suggest_lists(const std::vector<std::string_view>& values) {
  ListLengths lengths;
  std::size_t first = 0;
  for (std::size_t i = 1; i <= values.size(); ++i) {
    const bool same_kind = i < values.size() && shell_run_detail::parse_number(values[i]).has_value() ==
                                                    shell_run_detail::parse_number(values[i - 1]).has_value();
    if (same_kind) continue;
    if (i - first < 2) return {values.size()};
    lengths.push_back(i - first);
    first = i;
  }
  return lengths;
}

}  // namespace v1
}  // namespace hakuriver
