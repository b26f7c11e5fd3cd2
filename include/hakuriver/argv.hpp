// A command line as a list of words. It stays one from the client to execve: no shell sees it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hakuriver {
inline namespace v1 {

using Argv = std::vector<std::string>;

// One word as a POSIX shell would need it typed (XCU 2.2.2): unchanged where it is safe, else in single quotes.
// For display and for `--dry-run` only.
inline std::string shell_quote(std::string_view word) {
  constexpr std::string_view kSafe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";
  if (!word.empty() && word.find_first_not_of(kSafe) == std::string_view::npos) return std::string(word);
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

// The words quoted and joined by single blanks: one line that a POSIX shell reads back as the same words.
inline std::string shell_quote(const Argv& argv) {
  std::string line;
  for (const auto& word : argv) {
    if (!line.empty()) line += ' ';
    line += shell_quote(word);
  }
  return line;
}

}  // namespace v1
}  // namespace hakuriver
