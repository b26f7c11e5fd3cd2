// Records as columns: each property of all records in one array of whole numbers. A column in which all numbers are
// the same holds that number once, and one of zeros is left out, so a thousand alike events cost a few bytes each.
//
//   {"count":3, "task":[100,1,1], "attempt":[1], "message_at":[2], "message":["out of space"]}
//
// Ids and times are written as differences from the record before (of the first: from zero), modulo 2^64.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "wire/json_text.hpp"
#include "wire/scanner.hpp"

namespace hakuriver::wire {

// `get(i)` is the number of record i; it is called up to twice for each.
template <class Get>
void write_column(ObjectWriter& object, std::string_view name, std::size_t count, const Get& get) {
  if (count == 0) return;
  const std::int64_t first = get(std::size_t{0});
  std::size_t same = 1;
  while (same < count && get(same) == first) ++same;
  if (same == count && first == 0) return;
  std::string& out = object.member(name);
  out += '[';
  append_number(out, first);
  for (std::size_t i = 1; same < count && i < count; ++i) {
    out += ',';
    append_number(out, get(i));
  }
  out += ']';
}

// As write_column, for numbers that mostly grow: `get(i)` gives 64 bits, of which the difference is written.
template <class Get>
void write_difference_column(ObjectWriter& object, std::string_view name, std::size_t count, const Get& get) {
  write_column(object, name, count, [&](std::size_t i) {
    const auto before = i == 0 ? std::uint64_t{0} : static_cast<std::uint64_t>(get(i - 1));
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(get(i)) - before);
  });
}

// Text that few records have, as the numbers of those records and their texts.
template <class Get>
void write_text_column(ObjectWriter& object, std::size_t count, const Get& get) {
  std::vector<std::size_t> at;
  for (std::size_t i = 0; i < count; ++i) {
    if (!get(i).empty()) at.push_back(i);
  }
  if (at.empty()) return;
  append_array(object.member("message_at"), at, [](std::string& out, std::size_t i) { append_number(out, i); });
  append_array(object.member("message"), at, [&](std::string& out, std::size_t i) { append_text(out, get(i)); });
}

// The columns of one object while it is read. Names are the caller's; the order of members does not matter.
template <std::size_t N>
class Columns {
 public:
  explicit Columns(const std::array<std::string_view, N>& names) : names_(names) {}

  // Takes the member if it is a column; false where its name is none.
  bool take(Scanner& in, std::string_view name, std::size_t most);
  // Whether every column fits `count` records; else the scanner has failed.
  bool fits(Scanner& in, std::size_t count) const;

  std::int64_t operator()(std::size_t column, std::size_t i) const noexcept {
    const auto& numbers = columns_[column];
    return numbers.empty() ? 0 : numbers.size() == 1 ? numbers[0] : numbers[i];
  }

 private:
  const std::array<std::string_view, N>& names_;
  std::array<std::vector<std::int64_t>, N> columns_;
};

template <std::size_t N>
bool Columns<N>::take(Scanner& in, std::string_view name, std::size_t most) {
  for (std::size_t i = 0; i < N; ++i) {
    if (names_[i] != name) continue;
    if (!columns_[i].empty()) in.fail("each column once");
    in.integers(columns_[i], most);
    return true;
  }
  return false;
}

template <std::size_t N>
bool Columns<N>::fits(Scanner& in, std::size_t count) const {
  for (const auto& column : columns_) {
    if (column.size() > 1 && column.size() != count) in.fail("columns of the same length");
  }
  return !in.failed();
}

// Reads message_at and message into `texts`, by record.
class TextColumn {
 public:
  bool take(Scanner& in, std::string_view name, std::size_t most);
  bool fits(Scanner& in, std::size_t count) const;
  // Gives each text away, once: put(record, text).
  template <class Put>
  void give(const Put& put) {
    for (std::size_t i = 0; i < at_.size(); ++i) put(static_cast<std::size_t>(at_[i]), std::move(texts_[i]));
  }

 private:
  std::vector<std::int64_t> at_;
  std::vector<std::string> texts_;
};

// A number of a column as what it stands for; the scanner fails where it is out of range.
template <class Number>
Number narrow_to(Scanner& in, std::int64_t value, std::uint64_t most) {
  if (value < 0 || static_cast<std::uint64_t>(value) > most) in.fail("numbers within their range");
  return static_cast<Number>(value);
}

}  // namespace hakuriver::wire
