// An axis: one thing that varies, as an ordered list of values that need not exist in memory.
//
//   Axis(*Range::between(1, 3))           -> 1 2 3
//   Axis(ValueList{{"a", "b"}, false})    -> a b
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "hakuriver/result.hpp"

namespace hakuriver {
inline namespace v1 {

// One value of an axis, or one word of a command: its text, and whether it stands for a whole number. Programs only
// ever see the text; a function that is called with values is given an integer or a string.
struct Value {
  std::string text;
  bool is_integer = false;
  bool operator==(const Value&) const = default;
};

// Digits with at most a minus sign before them.
constexpr bool is_whole_number(std::string_view text) noexcept {
  if (!text.empty() && text.front() == '-') text.remove_prefix(1);
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// Evenly spaced whole numbers, letters, or decimal fractions held as whole numbers: exact, and O(1) in memory.
class Range {
 public:
  enum class Kind : std::uint8_t { number, letter };

  // How a value is written: `decimals` digits after the point (0 to 18), and zeros in front until the text, sign and
  // point included, is `width` long. A letter has neither.
  struct Format {
    Kind kind = Kind::number;
    std::uint8_t decimals = 0;
    std::uint32_t width = 0;
    bool operator==(const Format&) const = default;
  };

  // first, first +- step, ... up to and including the last value that does not pass `last`; counts down where `last`
  // is below `first`. Numbers are in units of the last decimal. `step` is at least 1.
  static Result<Range> between(std::int64_t first, std::int64_t last, std::uint64_t step, Format format) {
    if (step == 0) return Error{Errc::invalid_argument, "a range's step must not be 0"};
    const bool down = last < first;
    const auto from = static_cast<std::uint64_t>(first);
    const auto to = static_cast<std::uint64_t>(last);
    const std::uint64_t steps = (down ? from - to : to - from) / step;
    if (steps == std::numeric_limits<std::uint64_t>::max()) {
      return Error{Errc::limit, "a range has at most 18446744073709551615 values"};
    }
    return Range(from, steps + 1, down ? 0 - step : step, format);
  }

  std::uint64_t size() const noexcept { return size_; }
  bool is_integer() const noexcept { return format_.kind == Kind::number && format_.decimals == 0; }

  // What between() makes the same range of; `last` is one of its values.
  std::int64_t first() const noexcept { return static_cast<std::int64_t>(first_); }
  std::int64_t last() const noexcept { return static_cast<std::int64_t>(first_ + (size_ - 1) * stride_); }
  std::uint64_t step() const noexcept { return last() < first() ? 0 - stride_ : stride_; }
  Format format() const noexcept { return format_; }

  bool operator==(const Range&) const = default;

  // Appends the text of the i-th value; i < size().
  void append(std::uint64_t i, std::string& text) const {
    // Unsigned arithmetic wraps, so the whole range of int64 is right without a wider type.
    const auto number = static_cast<std::int64_t>(first_ + i * stride_);
    if (format_.kind == Kind::letter) {
      text += static_cast<char>(number);
    } else {
      append_number(number, text);
    }
  }

 private:
  Range(std::uint64_t first, std::uint64_t size, std::uint64_t stride, Format format) noexcept
      : first_(first), size_(size), stride_(stride), format_(format) {}

  void append_number(std::int64_t number, std::string& text) const {
    const bool negative = number < 0;
    const auto bits = static_cast<std::uint64_t>(number);
    char buffer[24];
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, negative ? 0 - bits : bits).ptr;
    std::string_view digits(buffer, static_cast<std::size_t>(end - buffer));

    const std::size_t decimals = format_.decimals;
    const std::size_t whole = digits.size() > decimals ? digits.size() - decimals : 0;
    const std::size_t length = (negative ? 1u : 0u) + (whole == 0 ? 1 : whole) + (decimals == 0 ? 0 : decimals + 1);
    if (negative) text += '-';
    if (length < format_.width) text.append(format_.width - length, '0');
    if (whole == 0) text += '0';
    text += digits.substr(0, whole);
    if (decimals == 0) return;
    text += '.';
    text.append(decimals - (digits.size() - whole), '0');
    text += digits.substr(whole);
  }

  std::uint64_t first_;
  std::uint64_t size_;
  std::uint64_t stride_;  // modulo 2^64: a range that counts down has a large one
  Format format_;
};

// Values one by one.
struct ValueList {
  std::vector<std::string> items;
  bool integers = false;  // whether an item that is a whole number stands for that number
  bool operator==(const ValueList&) const = default;
};

// Constant once made: any thread may read it.
class Axis {
 public:
  explicit Axis(Range range) noexcept : values_(range) {}
  explicit Axis(ValueList list) noexcept : values_(std::move(list)) {}

  std::uint64_t size() const noexcept {
    const auto* range = std::get_if<Range>(&values_);
    return range != nullptr ? range->size() : std::get_if<ValueList>(&values_)->items.size();
  }

  // Appends the text of the i-th value and tells whether it stands for a whole number; i < size().
  bool append(std::uint64_t i, std::string& text) const {
    if (const auto* range = std::get_if<Range>(&values_)) {
      range->append(i, text);
      return range->is_integer();
    }
    const auto& list = *std::get_if<ValueList>(&values_);
    const std::string& item = list.items[static_cast<std::size_t>(i)];
    text += item;
    return list.integers && is_whole_number(item);
  }

  Value at(std::uint64_t i) const {
    Value value;
    value.is_integer = append(i, value.text);
    return value;
  }

  const std::variant<Range, ValueList>& values() const noexcept { return values_; }

  bool operator==(const Axis&) const = default;

 private:
  std::variant<Range, ValueList> values_;
};

}  // namespace v1
}  // namespace hakuriver
