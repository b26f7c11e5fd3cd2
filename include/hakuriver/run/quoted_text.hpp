// Texts of users in one line of a file: without control characters, and in UTF-8 whatever they are.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "hakuriver/argv.hpp"

namespace hakuriver {
inline namespace v1 {

namespace quoted_text_detail {

constexpr unsigned byte_at(std::string_view text, std::size_t i) noexcept {
  return static_cast<unsigned char>(text[i]);
}

}  // namespace quoted_text_detail

// How long the character is that the text begins with, 1 to 4 bytes; 0 where it is not UTF-8 (RFC 3629, section 4).
constexpr std::size_t utf8_length(std::string_view text) noexcept {
  using quoted_text_detail::byte_at;
  const unsigned first = text.empty() ? 0xff : byte_at(text, 0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xc2 && first <= 0xdf   ? 2
                             : first >= 0xe0 && first <= 0xef ? 3
                             : first >= 0xf0 && first <= 0xf4 ? 4
                                                              : 0;
  if (length == 0 || text.size() < length) return 0;
  // No overlong forms, no surrogates, nothing above U+10FFFF.
  const unsigned least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const unsigned most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (byte_at(text, 1) < least || byte_at(text, 1) > most) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if (byte_at(text, i) < 0x80 || byte_at(text, i) > 0xbf) return 0;
  }
  return length;
}

constexpr bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

// Neither control characters nor anything that is not UTF-8.
constexpr bool is_plain_line(std::string_view text) noexcept {
  bool ascii = true;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) return false;
    ascii = ascii && byte < 0x80;
  }
  return ascii || is_utf8(text);
}

// As $'...', with octal escapes for what is not plain: bash and POSIX.1-2024 (2.2.4) read the same bytes back.
inline std::string quote_bytes(std::string_view text) {
  std::string quoted = "$'";
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const auto byte = static_cast<unsigned char>(text.front());
    if (length == 0 || byte < 0x20 || byte == 0x7f) {
      quoted += '\\';
      for (const int shift : {6, 3, 0}) quoted += static_cast<char>('0' + ((byte >> shift) & 7));
    } else {
      if (byte == '\'' || byte == '\\') quoted += '\\';
      quoted += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return quoted + "'";
}

// A command as one line that a shell reads back as the same words.
inline std::string journal_text(const Argv& argv) {
  if (std::all_of(argv.begin(), argv.end(), [](const auto& word) { return is_plain_line(word); })) {
    return shell_quote(argv);
  }
  std::string line;
  for (const auto& word : argv) {
    if (!line.empty()) line += ' ';
    line += is_plain_line(word) ? shell_quote(word) : quote_bytes(word);
  }
  return line;
}

// A name as it is, unless it would not be one line or could be taken for a quoted one.
inline std::string journal_text(std::string_view name) {
  return is_plain_line(name) && name.substr(0, 2) != "$'" ? std::string(name) : quote_bytes(name);
}

}  // namespace v1
}  // namespace hakuriver
