// What stands after "span:" in a word: an axis written down.
//
//   {1..5}  {5..1}  {1..9..2}  {007..009}  {0.1..0.3..0.1}  {A..Z}    ranges, both ends included
//   {32,64,128}  [small, medium, large]                               lists; blanks around an item are dropped
//   1..5    a,b,c    foo                                              the same without braces, safe in every shell
//
// Whole numbers count as integers unless they stand in square brackets. bash's own rules for {...} are kept: a number
// written with a leading zero gives all the same width, and the sign of a step means nothing.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "hakuriver/axis.hpp"
#include "hakuriver/result.hpp"

namespace hakuriver {
inline namespace v1 {

// The text of one span, and with it its list, is bounded. A range may still have up to 2^64 - 1 values.
inline constexpr std::size_t kMaxSpanText = std::size_t{1} << 20;

enum class SpanForm : std::uint8_t {
  braces,    // {...}
  brackets,  // [...]
  bare,      // neither
};

namespace span_detail {

inline constexpr const char* kNoValue = "a span without a value: expected such as span:1..5 or span:a,b";

constexpr std::string_view trim(std::string_view text) noexcept {
  constexpr std::string_view kBlanks = " \t\r\n";
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// A decimal number as digits and a count of decimals: "-0.10" is {-10, 2}.
struct Decimal {
  std::int64_t digits = 0;
  std::uint8_t decimals = 0;
  bool padded = false;  // written with a zero in front of its first digit
};

constexpr std::uint8_t kMaxDecimals = 18;

// At most 18 digits in all, so that nothing overflows; nothing where the text is not such a number.
constexpr std::optional<Decimal> parse_decimal(std::string_view text) noexcept {
  const bool negative = !text.empty() && text.front() == '-';
  if (negative) text.remove_prefix(1);
  Decimal number;
  std::size_t point = text.find('.');
  if (point == std::string_view::npos) point = text.size();
  if (point == 0 || point + 1 == text.size()) return std::nullopt;
  std::size_t significant = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i == point) continue;
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    if (number.digits != 0 || text[i] != '0') ++significant;
    if (significant > kMaxDecimals) return std::nullopt;
    number.digits = number.digits * 10 + (text[i] - '0');
  }
  const std::size_t decimals = point == text.size() ? 0 : text.size() - point - 1;
  if (decimals > kMaxDecimals) return std::nullopt;
  number.decimals = static_cast<std::uint8_t>(decimals);
  number.padded = point > 1 && text.front() == '0';
  if (negative) number.digits = -number.digits;
  return number;
}

// The same number with that many decimals; nothing where it does not fit.
constexpr std::optional<std::int64_t> scaled(const Decimal& number, std::uint8_t decimals) noexcept {
  constexpr std::int64_t kLimit = std::int64_t{4'000'000'000'000'000'000};
  std::int64_t digits = number.digits;
  for (std::uint8_t i = number.decimals; i < decimals; ++i) {
    if (digits > kLimit / 10 || digits < -kLimit / 10) return std::nullopt;
    digits *= 10;
  }
  return digits;
}

inline bool is_letter(std::string_view text) noexcept {
  return text.size() == 1 && ((text[0] >= 'a' && text[0] <= 'z') || (text[0] >= 'A' && text[0] <= 'Z'));
}

inline std::string quoted(std::string_view text) {
  constexpr std::size_t kShown = 80;
  return "'" + std::string(text.substr(0, kShown)) + (text.size() > kShown ? "...'" : "'");
}

// first..last or first..last..step, cut at the dots.
struct RangeText {
  std::string_view first;
  std::string_view last;
  std::string_view step;  // empty: none was written
};

constexpr std::optional<RangeText> cut_range(std::string_view text) noexcept {
  const auto dots = text.find("..");
  if (dots == std::string_view::npos) return std::nullopt;
  RangeText range{trim(text.substr(0, dots)), trim(text.substr(dots + 2)), {}};
  const auto more = range.last.find("..");
  if (more == std::string_view::npos) return range;
  range.step = trim(range.last.substr(more + 2));
  range.last = trim(range.last.substr(0, more));
  if (range.step.empty()) return std::nullopt;
  return range;
}

inline Result<Axis> build_range(std::int64_t first, std::int64_t last, std::int64_t step, Range::Format format) {
  const auto magnitude = static_cast<std::uint64_t>(step < 0 ? -step : step);
  auto range = Range::between(first, last, magnitude, format);
  if (!range) return range.error();
  return Axis(*range);
}

inline Result<Axis> parse_letter_range(const RangeText& text, const Error& bad) {
  const bool one_case = (text.first[0] >= 'a') == (text.last[0] >= 'a');
  const auto step = parse_decimal(text.step.empty() ? "1" : text.step);
  if (!one_case || !step || step->decimals != 0 || step->digits == 0) return bad;
  return build_range(text.first[0], text.last[0], step->digits, {Range::Kind::letter, 0, 0});
}

inline Result<Axis> parse_number_range(const RangeText& text, const Error& bad) {
  const auto first = parse_decimal(text.first);
  const auto last = parse_decimal(text.last);
  const auto step = parse_decimal(text.step.empty() ? "1" : text.step);
  if (!first || !last || !step) return bad;
  const std::uint8_t decimals = std::max({first->decimals, last->decimals, step->decimals});
  if (decimals != 0 && text.step.empty()) {
    return Error{Errc::parse, bad.message + "; a range of decimals needs its step"};
  }
  const auto from = scaled(*first, decimals);
  const auto to = scaled(*last, decimals);
  const auto by = scaled(*step, decimals);
  if (!from || !to || !by || *by == 0) return bad;
  const bool padded = first->padded || last->padded;
  // What padding fills up to: the longer end, each as it would be with all decimals.
  const auto whole = [](std::string_view number) { return std::min(number.find('.'), number.size()); };
  const std::size_t widest = std::max(whole(text.first), whole(text.last)) + (decimals == 0 ? 0u : decimals + 1u);
  const auto width = static_cast<std::uint32_t>(padded ? widest : 0);
  return build_range(*from, *to, *by, {Range::Kind::number, decimals, width});
}

inline Result<Axis> parse_range(std::string_view text) {
  const Error bad{Errc::parse,
                  "the range " + quoted(text) + " is malformed: expected such as 1..5, 1..9..2, 0.1..0.5..0.1 or A..Z"};
  const auto range = cut_range(text);
  if (!range) return bad;
  if (is_letter(range->first) && is_letter(range->last)) return parse_letter_range(*range, bad);
  return parse_number_range(*range, bad);
}

// Cuts at the commas that stand in no brackets of their own, so that [[1,2],[3]] has two items.
inline ValueList split_list(std::string_view text, bool integers) {
  ValueList list{{}, integers};
  std::size_t depth = 0;
  std::size_t start = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '[' || c == '{' || c == '(') ++depth;
    if ((c == ']' || c == '}' || c == ')') && depth > 0) --depth;
    if (c != ',' || depth > 0) continue;
    list.items.emplace_back(trim(text.substr(start, i - start)));
    start = i + 1;
  }
  list.items.emplace_back(trim(text.substr(start)));
  return list;
}

}  // namespace span_detail

// Reads what stands between the braces or brackets, or after "span:" where there are none.
inline Result<Axis> parse_span(SpanForm form, std::string_view body) {
  if (body.size() > kMaxSpanText) {
    return Error{Errc::limit,
                 "a span's text is " + std::to_string(body.size()) + " bytes long: expected at most 1 MiB"};
  }
  const std::string_view text = span_detail::trim(body);
  if (text.empty()) return Error{Errc::parse, span_detail::kNoValue};
  if (form == SpanForm::brackets) return Axis(span_detail::split_list(text, false));
  if (form == SpanForm::bare && text.find_first_of("[{") != std::string_view::npos) {
    return Error{Errc::parse, "in 'span:" + std::string(text.substr(0, 80)) +
                                  "' a bracket stands inside the value: expected it right after 'span:'"};
  }
  if (text.find(',') != std::string_view::npos) return Axis(span_detail::split_list(text, true));
  if (text.find("..") != std::string_view::npos) return span_detail::parse_range(text);
  return Axis(ValueList{{std::string(text)}, true});
}

}  // namespace v1
}  // namespace hakuriver
