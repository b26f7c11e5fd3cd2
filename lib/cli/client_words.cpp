#include "cli/client_words.hpp"

#include <string.h>

#include <algorithm>
#include <array>
#include <cstdio>

namespace hakuriver::cli {
namespace {

std::string decimal(double value, int decimals) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

std::string two_units(std::int64_t large, const char* large_name, std::int64_t small, const char* small_name) {
  std::string text = std::to_string(large) + large_name;
  if (small != 0) text += std::to_string(small) + small_name;
  return text;
}

std::string words_of_signal(int number) {
  const char* description = ::sigdescr_np(number);
  return "signal " + std::to_string(number) + (description == nullptr ? "" : " (" + std::string(description) + ")");
}

}  // namespace

int exit_of_task(const TaskView& task) noexcept {
  if (task.status == TaskStatus::completed) return 0;
  const int status = task.outcome ? shell_status(*task.outcome) : 1;
  return status > 0 && status < 256 ? status : 1;
}

std::string words_of_outcome(const TaskView& task) {
  if (!task.outcome) return {};
  switch (task.outcome->kind) {
    case OutcomeKind::exited:
      return "exit code " + std::to_string(task.outcome->value);
    case OutcomeKind::signaled:
      return words_of_signal(task.outcome->value);
    case OutcomeKind::oom_killed:
      return "out of memory";
    case OutcomeKind::never_started:
      return "never started";
    case OutcomeKind::unknown:
      return "exit status unknown";
    case OutcomeKind::timed_out:
      return "time limit reached";
  }
  return {};
}

std::string words_of(const TaskView& task) {
  const std::string status(to_string(task.status));
  if (task.message.starts_with(status)) return task.message;  // "killed before it started"
  if (!task.message.empty()) return status + ": " + task.message;
  const std::string outcome = words_of_outcome(task);
  return task.status == TaskStatus::completed || outcome.empty() ? status : status + ": " + outcome;
}

Tone tone_of(TaskStatus status) noexcept {
  switch (status) {
    case TaskStatus::pending:
      return Tone::faint;
    case TaskStatus::assigning:
    case TaskStatus::running:
    case TaskStatus::paused:
      return Tone::busy;
    case TaskStatus::completed:
      return Tone::good;
    case TaskStatus::failed:
    case TaskStatus::killed:
    case TaskStatus::killed_oom:
    case TaskStatus::lost:
      return Tone::bad;
  }
  return Tone::plain;
}

std::string short_bytes(std::uint64_t bytes) {
  constexpr std::array kUnits{"", "K", "M", "G", "T", "P", "E"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  const bool is_whole = unit == 0 || value >= 100 || value == static_cast<double>(static_cast<std::uint64_t>(value));
  return decimal(value, is_whole ? 0 : 1) + kUnits[unit];
}

std::string short_cores(std::uint64_t millicores) {
  std::string text = decimal(static_cast<double>(millicores) / 1000, 3);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

std::string short_duration(std::chrono::microseconds duration) {
  const std::int64_t seconds = std::max<std::int64_t>(0, duration.count()) / 1'000'000;
  if (seconds < 10) return decimal(static_cast<double>(std::max<std::int64_t>(0, duration.count())) / 1e6, 1) + "s";
  if (seconds < 60) return std::to_string(seconds) + "s";
  if (seconds < 3600) return two_units(seconds / 60, "m", seconds % 60, "s");
  if (seconds < 86'400) return two_units(seconds / 3600, "h", seconds % 3600 / 60, "m");
  return two_units(seconds / 86'400, "d", seconds % 86'400 / 3600, "h");
}

std::string words_of(UtcTime time) {
  if (time.microseconds == 0) return "-";
  std::string text = to_iso8601(time).substr(0, 19);
  text[10] = ' ';
  return text + " UTC";
}

std::chrono::microseconds age_of(const TaskView& task, UtcTime now) noexcept {
  const UtcTime from = task.started_at.microseconds != 0 ? task.started_at : task.submitted_at;
  const UtcTime to = task.ended_at.microseconds != 0 ? task.ended_at : now;
  return std::chrono::microseconds{std::max<std::int64_t>(0, to.microseconds - from.microseconds)};
}

UtcTime utc_now() noexcept {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return {std::chrono::duration_cast<std::chrono::microseconds>(now).count()};
}

}  // namespace hakuriver::cli
