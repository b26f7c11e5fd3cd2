// Numbers and texts as bytes, little-endian, for the keeper's protocol and journal. A text is its length in 32 bits
// and its bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace hakuriver::keeper {

class ByteWriter {
 public:
  // Appends to `out`, which must outlive the writer.
  explicit ByteWriter(std::string& out) : out_(out) {}

  template <class Number>
  ByteWriter& number(Number value) {
    auto bits = static_cast<std::make_unsigned_t<Number>>(value);
    for (std::size_t i = 0; i < sizeof(Number); ++i) {
      out_.push_back(static_cast<char>(static_cast<unsigned char>(bits & 0xffu)));
      if constexpr (sizeof(Number) > 1) bits = static_cast<std::make_unsigned_t<Number>>(bits >> 8);
    }
    return *this;
  }

  ByteWriter& text(std::string_view value) {
    number(static_cast<std::uint32_t>(value.size()));
    out_.append(value);
    return *this;
  }

  ByteWriter& texts(const std::vector<std::string>& values) {
    number(static_cast<std::uint32_t>(values.size()));
    for (const auto& value : values) text(value);
    return *this;
  }

 private:
  std::string& out_;
};

// Reads what ByteWriter wrote. Whatever is asked for beyond the end is zero or empty and makes the reader not ok;
// memory taken never exceeds what is really there.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  template <class Number>
  Number number() {
    if (rest_.size() < sizeof(Number)) return fail(), Number{};
    std::make_unsigned_t<Number> bits = 0;
    for (std::size_t i = sizeof(Number); i-- > 0;) {
      if constexpr (sizeof(Number) > 1) bits = static_cast<std::make_unsigned_t<Number>>(bits << 8);
      bits = static_cast<std::make_unsigned_t<Number>>(bits | static_cast<unsigned char>(rest_[i]));
    }
    rest_.remove_prefix(sizeof(Number));
    return static_cast<Number>(bits);
  }

  std::string text() {
    const auto size = number<std::uint32_t>();
    if (size > rest_.size()) return fail(), std::string{};
    std::string value(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return value;
  }

  std::vector<std::string> texts() {
    const auto count = number<std::uint32_t>();
    std::vector<std::string> values;
    for (std::uint32_t i = 0; i < count && ok_; ++i) values.push_back(text());
    return values;
  }

  bool ok() const { return ok_; }
  // Everything was read, and nothing was missing.
  bool done() const { return ok_ && rest_.empty(); }

 private:
  void fail() {
    ok_ = false;
    rest_ = {};
  }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace hakuriver::keeper
