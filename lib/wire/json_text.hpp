// Writing JSON as text, without building it first. RFC 8259.
#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include "hakuriver/result.hpp"

namespace hakuriver::wire {

// Whether the bytes are UTF-8 as RFC 3629 has it: no surrogates, nothing overlong.
bool is_utf8(std::string_view bytes) noexcept;

// The same with U+FFFD for each byte that is not UTF-8.
std::string to_utf8(std::string_view bytes);

// RFC 4648, section 4, with padding.
std::string to_base64(std::string_view bytes);
Result<std::string> from_base64(std::string_view text);

// Bytes that are not UTF-8 have no place in a JSON string.
enum class NotUtf8 : std::uint8_t {
  base64,   // the string becomes {"base64": "..."}: nothing is lost
  replace,  // each wrong byte becomes U+FFFD: it stays a string
};

// Appends one JSON string, or the object that stands for it.
void append_text(std::string& out, std::string_view bytes, NotUtf8 policy = NotUtf8::base64);

template <std::integral Number>
void append_number(std::string& out, Number number) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out.append(digits, end);
}

// Thousandths as a decimal: 1000 -> 1, 1500 -> 1.5.
void append_thousandths(std::string& out, std::uint64_t thousandths);

// The shortest decimal that reads back as the same number; null where it is not finite.
void append_decimal(std::string& out, double number);

// Writes the members of one object: braces at birth and at close(). Names are our own and need no escape.
class ObjectWriter {
 public:
  explicit ObjectWriter(std::string& out, NotUtf8 policy = NotUtf8::base64) : out_(out), policy_(policy) {
    out_ += '{';
  }

  void text(std::string_view name, std::string_view value) { append_text(member(name), value, policy_); }
  void flag(std::string_view name, bool value) { member(name) += value ? "true" : "false"; }
  void null(std::string_view name) { member(name) += "null"; }
  void decimal(std::string_view name, double value) { append_decimal(member(name), value); }
  template <std::integral Number>
  void number(std::string_view name, Number value) {
    append_number(member(name), value);
  }
  // An id: digits between quotes, because readers in JavaScript round numbers above 2^53.
  void id(std::string_view name, std::uint64_t value);
  // Text, or null where it is empty.
  void text_or_null(std::string_view name, std::string_view value);

  // Writes the name only; one value must be appended to what it returns.
  std::string& member(std::string_view name);
  void close() { out_ += '}'; }

 private:
  std::string& out_;
  NotUtf8 policy_;
  bool first_ = true;
};

// Writes `[`, what `write` appends for each item, and `]`.
template <class Items, class Write>
void append_array(std::string& out, const Items& items, const Write& write) {
  out += '[';
  bool first = true;
  for (const auto& item : items) {
    if (!first) out += ',';
    first = false;
    write(out, item);
  }
  out += ']';
}

}  // namespace hakuriver::wire
