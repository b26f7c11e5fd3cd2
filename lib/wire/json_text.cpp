#include "wire/json_text.hpp"

#include <array>
#include <cmath>
#include <cstring>

namespace hakuriver::wire {
namespace {

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

constexpr unsigned byte_at(std::string_view bytes, std::size_t i) noexcept {
  return static_cast<unsigned char>(bytes[i]);
}

constexpr bool continues(std::string_view bytes, std::size_t i, unsigned low = 0x80, unsigned high = 0xBF) noexcept {
  return i < bytes.size() && byte_at(bytes, i) >= low && byte_at(bytes, i) <= high;
}

// How many bytes the character at `i` has; 0 where there is none. The ranges are table 3-7 of the Unicode standard.
std::size_t character_at(std::string_view bytes, std::size_t i) noexcept {
  const unsigned lead = byte_at(bytes, i);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return continues(bytes, i + 1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    const bool second = continues(bytes, i + 1, lead == 0xE0 ? 0xA0 : 0x80, lead == 0xED ? 0x9F : 0xBF);
    return second && continues(bytes, i + 2) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const bool second = continues(bytes, i + 1, lead == 0xF0 ? 0x90 : 0x80, lead == 0xF4 ? 0x8F : 0xBF);
    return second && continues(bytes, i + 2) && continues(bytes, i + 3) ? 4 : 0;
  }
  return 0;
}

// How many bytes from `i` on are ASCII; eight at a time, which is what most text is made of.
std::size_t ascii_run(std::string_view bytes, std::size_t i) noexcept {
  const std::size_t start = i;
  for (std::uint64_t word = 0; i + sizeof word <= bytes.size(); i += sizeof word) {
    std::memcpy(&word, bytes.data() + i, sizeof word);
    if ((word & 0x8080808080808080U) != 0) break;
  }
  while (i < bytes.size() && byte_at(bytes, i) < 0x80) ++i;
  return i - start;
}

void append_escaped(std::string& out, char c) {
  constexpr std::string_view kHex = "0123456789abcdef";
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  out += "\\u00";
  out += kHex[static_cast<unsigned char>(c) >> 4];
  out += kHex[static_cast<unsigned char>(c) & 15U];
}

constexpr bool is_plain(char c) noexcept { return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\'; }

void append_quoted(std::string& out, std::string_view utf8) {
  out += '"';
  std::size_t from = 0;
  for (std::size_t i = 0; i < utf8.size(); ++i) {
    if (is_plain(utf8[i])) continue;
    out.append(utf8, from, i - from);
    append_escaped(out, utf8[i]);
    from = i + 1;
  }
  out.append(utf8, from);
  out += '"';
}

}  // namespace

bool is_utf8(std::string_view bytes) noexcept {
  for (std::size_t i = ascii_run(bytes, 0); i < bytes.size(); i += ascii_run(bytes, i)) {
    const std::size_t length = character_at(bytes, i);
    if (length == 0) return false;
    i += length;
  }
  return true;
}

std::string to_utf8(std::string_view bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes.size();) {
    const std::size_t length = character_at(bytes, i);
    text.append(length > 0 ? bytes.substr(i, length) : kReplacement);
    i += length > 0 ? length : 1;
  }
  return text;
}

std::string to_base64(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t left = bytes.size() - i;
    const unsigned group =
        byte_at(bytes, i) << 16 | (left > 1 ? byte_at(bytes, i + 1) << 8 : 0) | (left > 2 ? byte_at(bytes, i + 2) : 0);
    text += kBase64[group >> 18];
    text += kBase64[group >> 12 & 63U];
    text += left > 1 ? kBase64[group >> 6 & 63U] : '=';
    text += left > 2 ? kBase64[group & 63U] : '=';
  }
  return text;
}

Result<std::string> from_base64(std::string_view text) {
  const Error bad{Errc::parse, "'" + to_utf8(text.substr(0, 64)) + "' is not base64"};
  if (text.size() % 4 != 0) return bad;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    std::size_t group = 0;
    for (std::size_t k = i; k < i + 4; ++k) {
      const std::size_t digit = k >= text.size() - padding ? 0 : kBase64.find(text[k]);
      if (digit == std::string_view::npos) return bad;
      group = group << 6 | digit;
    }
    for (const unsigned shift : {16U, 8U, 0U}) bytes += static_cast<char>(group >> shift & 255U);
  }
  bytes.resize(bytes.size() - padding);
  return bytes;
}

void append_text(std::string& out, std::string_view bytes, NotUtf8 policy) {
  if (is_utf8(bytes)) return append_quoted(out, bytes);
  if (policy == NotUtf8::replace) return append_quoted(out, to_utf8(bytes));
  out += "{\"base64\":\"";
  out += to_base64(bytes);
  out += "\"}";
}

void append_thousandths(std::string& out, std::uint64_t thousandths) {
  append_number(out, thousandths / 1000);
  std::string decimals = std::to_string(1000 + thousandths % 1000).substr(1);
  decimals.resize(decimals.find_last_not_of('0') + 1);
  if (!decimals.empty()) out += "." + decimals;
}

void append_decimal(std::string& out, double number) {
  if (!std::isfinite(number)) {
    out += "null";
    return;
  }
  std::array<char, 40> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

void ObjectWriter::id(std::string_view name, std::uint64_t value) {
  std::string& out = member(name);
  out += '"';
  append_number(out, value);
  out += '"';
}

void ObjectWriter::text_or_null(std::string_view name, std::string_view value) {
  if (value.empty()) return null(name);
  text(name, value);
}

std::string& ObjectWriter::member(std::string_view name) {
  if (!first_) out_ += ',';
  first_ = false;
  out_ += '"';
  out_ += name;
  out_ += "\":";
  return out_;
}

}  // namespace hakuriver::wire
