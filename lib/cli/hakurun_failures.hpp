// What failed: said at once, and again at the end.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace hakuriver::cli {

// The last lines of what each running command wrote to stderr, as far as it passes through us: up to 5 lines and 1 KiB.
class StderrTails {
 public:
  void begin(std::uint64_t index);

  // Of a command that has begun and not been taken; else nothing is kept.
  void add(std::uint64_t index, std::string_view bytes);

  // The lines, and forgets them. Control characters are shown as '?'.
  std::vector<std::string> take(std::uint64_t index);

 private:
  std::unordered_map<std::uint64_t, std::string> tails_;
};

// Keeps the first kShown failures.
class FailureList {
 public:
  static constexpr std::size_t kShown = 20;

  // `what` is such as "exit 1: ./run 3"; `last_line` of its stderr may be empty.
  void add(std::string what, std::string last_line);

  std::uint64_t count() const noexcept { return count_; }

  // The lines for the end: one each, and one for those that are not shown. None where the only failure is that of the
  // only command: it was just said.
  std::vector<std::string> summary(std::uint64_t commands) const;

 private:
  std::uint64_t count_ = 0;
  std::vector<std::string> first_;
};

}  // namespace hakuriver::cli
