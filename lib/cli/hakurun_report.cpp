#include "cli/hakurun_report.hpp"

#include <string.h>
#include <unistd.h>

#include <vector>

#include "cli/hakurun_run.hpp"

namespace hakuriver::cli {
namespace {

std::string describe(const RunEnd& end) {
  if (!end.message.empty()) return end.message;
  if (end.timed_out) return "timed out";
  switch (end.outcome.kind) {
    case OutcomeKind::exited:
      return "exit " + std::to_string(end.outcome.value);
    case OutcomeKind::signaled:
    case OutcomeKind::oom_killed:
      return "signal " + std::to_string(end.outcome.value) + ", " + ::strsignal(end.outcome.value);
    case OutcomeKind::timed_out:
      return "timed out";
    case OutcomeKind::never_started:
    case OutcomeKind::unknown:
      break;
  }
  return "its exit status is not known";
}

// By itself a status line is there only where it cannot get between what the commands print.
Progress::Kind kind_of(const HakurunOptions& options, std::uint64_t size, bool captured, int fd) {
  const bool wanted = options.progress.value_or(captured && size > 1);
  if (!wanted) return Progress::Kind::none;
  if (::isatty(fd) == 1) return Progress::Kind::line;
  return options.progress ? Progress::Kind::lines : Progress::Kind::none;
}

}  // namespace

RunReport::RunReport(const HakurunOptions& options, std::uint64_t size, bool captured, HakurunStreams streams)
    : streams_(streams),
      captured_(captured),
      progress_kind_(kind_of(options, size, captured, streams.err)),
      progress_(progress_kind_, streams.err, Progress::Clock::now()) {
  counts_.total = size;
  counts_.on_cluster = options.to_cluster;
}

void RunReport::take_skip() {
  --counts_.total;
  ++counts_.skipped;
}

void RunReport::take_start(std::uint64_t index) {
  if (captured_) tails_.begin(index);
  ++counts_.running;
  tick();
}

void RunReport::take_output(const RunOutput& output) {
  if (output.stream == OutputStream::err) tails_.add(output.index, output.bytes);
}

void RunReport::take_end(const RunEnd& end, const std::string& command, bool is_shown) {
  const bool was_started = end.message.empty() || counts_.on_cluster;  // which is given all of them at once
  if (was_started && counts_.running > 0) --counts_.running;
  const auto tail = captured_ ? tails_.take(end.index) : std::vector<std::string>();
  const bool is_final = end.verdict == EndVerdict::succeeded || end.verdict == EndVerdict::failed;
  if (is_final) ++counts_.done;
  if (end.verdict == EndVerdict::failed || end.verdict == EndVerdict::retry) {
    const std::string what = describe(end);
    const bool is_last_try = end.verdict == EndVerdict::failed;
    say("failed (" + what + (is_last_try ? "): " : ", to be tried again): ") + command);
    for (const auto& line : tail) {
      if (!is_shown) say("  | " + line);
    }
    if (is_last_try) {
      ++counts_.failed;
      failures_.add(what + ": " + command, tail.empty() ? std::string() : tail.back());
    }
  }
  tick();
}

void RunReport::tick() {
  if (shows_progress()) progress_.update(counts_, Progress::Clock::now());
}

void RunReport::say(std::string_view line) {
  make_way();
  cli::say(streams_, line);
}

void RunReport::finish(const RunSummary& summary) {
  progress_.finish(counts_, Progress::Clock::now());
  if (summary.failed == 0) return;
  const auto lines = failures_.summary(summary.total);
  say(std::to_string(summary.failed) + " of " + std::to_string(summary.total) + " failed" + (lines.empty() ? "" : ":"));
  for (const auto& line : lines) say(line);
}

}  // namespace hakuriver::cli
