#include "cli/hakurun_failures.hpp"

#include <algorithm>
#include <utility>

namespace hakuriver::cli {
namespace {

constexpr std::size_t kMostBytes = 1024;
constexpr std::size_t kMostLines = 5;

std::string printable(std::string_view line) {
  std::string text(line);
  for (char& c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\t') || byte == 0x7f) c = '?';
  }
  return text;
}

}  // namespace

void StderrTails::begin(std::uint64_t index) { tails_.try_emplace(index); }

void StderrTails::add(std::uint64_t index, std::string_view bytes) {
  const auto found = tails_.find(index);
  if (found == tails_.end()) return;
  std::string& tail = found->second;
  tail += bytes.substr(bytes.size() - std::min(bytes.size(), kMostBytes));
  if (tail.size() > 2 * kMostBytes) tail.erase(0, tail.size() - kMostBytes);
}

std::vector<std::string> StderrTails::take(std::uint64_t index) {
  const auto found = tails_.find(index);
  if (found == tails_.end()) return {};
  const std::string tail = std::move(found->second);
  tails_.erase(found);
  std::string_view rest = tail;
  if (rest.size() > kMostBytes) rest.remove_prefix(rest.size() - kMostBytes);
  std::vector<std::string> lines;
  while (!rest.empty() && lines.size() < kMostLines) {
    if (rest.back() == '\n') rest.remove_suffix(1);
    const auto newline = rest.rfind('\n');
    const auto begin = newline == std::string_view::npos ? 0 : newline + 1;
    if (begin < rest.size()) lines.push_back(printable(rest.substr(begin)));
    rest = rest.substr(0, begin);
  }
  std::reverse(lines.begin(), lines.end());
  return lines;
}

void FailureList::add(std::string what, std::string last_line) {
  ++count_;
  if (first_.size() >= kShown) return;
  if (!last_line.empty()) what += ": " + last_line;
  first_.push_back(std::move(what));
}

std::vector<std::string> FailureList::summary(std::uint64_t commands) const {
  if (commands <= 1) return {};
  std::vector<std::string> lines;
  for (const auto& failure : first_) lines.push_back("  " + failure);
  if (count_ > first_.size()) lines.push_back("  and " + std::to_string(count_ - first_.size()) + " more");
  return lines;
}

}  // namespace hakuriver::cli
