// A command line as a list of words. It stays one from the client to execve: no shell sees it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hakuriver {
inline namespace v1 {

using Argv = std::vector<std::string>;

namespace argv_detail {

// Control characters have no place in one line; bash and POSIX.1-2024 (2.2.4) read $'...' with escapes.
inline std::string quote_with_escapes(std::string_view word) {
  std::string quoted = "$'";
  for (const char c : word) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      quoted += "\\n";
    } else if (c == '\t') {
      quoted += "\\t";
    } else if (byte < 0x20 || byte == 0x7f) {
      quoted += '\\';
      for (const int shift : {6, 3, 0}) quoted += static_cast<char>('0' + ((byte >> shift) & 7));
    } else {
      if (c == '\'' || c == '\\') quoted += '\\';
      quoted += c;
    }
  }
  return quoted + "'";
}

inline std::string quote_plainly(std::string_view word) {
  std::string quoted = "'";
  for (const char c : word) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

// Whether a shell would take a first word for something else than a command: an assignment, or a word of its grammar.
inline bool means_more_when_first(std::string_view word) noexcept {
  constexpr std::string_view kReserved[] = {"case",   "coproc", "do",   "done",     "elif", "else",
                                            "esac",   "fi",     "for",  "function", "if",   "in",
                                            "select", "then",   "time", "until",    "while"};
  for (const auto reserved : kReserved) {
    if (word == reserved) return true;
  }
  return word.find('=') != std::string_view::npos;
}

}  // namespace argv_detail

// One word as a shell would need it typed (POSIX XCU 2.2): unchanged where it is safe, else in quotes, and always
// without a line break. zsh, which puts a program's path for "=name", is thought of. For display and for `--dry-run`
// only.
inline std::string shell_quote(std::string_view word) {
  constexpr std::string_view kSafe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";
  const bool is_safe = !word.empty() && word.front() != '=' && word.find_first_not_of(kSafe) == std::string_view::npos;
  if (is_safe) return std::string(word);
  for (const char c : word) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) return argv_detail::quote_with_escapes(word);
  }
  return argv_detail::quote_plainly(word);
}

// The words quoted and joined by single blanks: one line that a shell reads back as the same words.
inline std::string shell_quote(const Argv& argv) {
  std::string line;
  for (const auto& word : argv) {
    const bool first = &word == &argv.front();
    if (!first) line += ' ';
    line += first && argv_detail::means_more_when_first(word) ? argv_detail::quote_plainly(word) : shell_quote(word);
  }
  return line;
}

}  // namespace v1
}  // namespace hakuriver
