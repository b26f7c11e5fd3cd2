#include "keeper/control_words.hpp"

#include <algorithm>
#include <charconv>

namespace hakuriver::keeper {
namespace {

// The number at the front of `text`, which then begins behind it and one blank.
template <class Number>
std::optional<Number> take_number(std::string_view& text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (text.starts_with(" ")) text.remove_prefix(1);
  return value;
}

void take_outcome(FinishReport& report, OutcomeKind kind, std::int32_t most, std::string_view words) {
  const auto value = take_number<std::int32_t>(words);
  if (!value || *value < 0 || *value > most) return;
  const bool has_message = kind == OutcomeKind::never_started;
  if (!words.empty() && !has_message) return;
  report.outcome = Outcome{kind, *value};
  report.message = std::string(words);
}

void take_line(FinishReport& report, std::string_view line) {
  const auto end = std::min(line.find(' '), line.size());
  const auto name = line.substr(0, end);
  auto rest = line.substr(std::min(end + 1, line.size()));
  constexpr std::int32_t kMostSignal = 127;
  if (name == "exited") take_outcome(report, OutcomeKind::exited, 255, rest);
  if (name == "signaled") take_outcome(report, OutcomeKind::signaled, kMostSignal, rest);
  if (name == "oom_killed") take_outcome(report, OutcomeKind::oom_killed, kMostSignal, rest);
  if (name == "never_started") take_outcome(report, OutcomeKind::never_started, 4095, rest);
  if (line == "unknown") report.outcome = Outcome{};
  if (name == "message") report.message = std::string(rest);
  if (name == "cpu_microseconds") report.cpu_microseconds = take_number<std::uint64_t>(rest);
  if (name == "peak_bytes") report.peak_bytes = take_number<std::uint64_t>(rest);
}

}  // namespace

FinishReport parse_finish(std::string_view text) {
  FinishReport report;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    take_line(report, text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return report;
}

}  // namespace hakuriver::keeper
