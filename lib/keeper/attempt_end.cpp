#include "keeper/attempt_end.hpp"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "hakuriver/duration.hpp"

namespace hakuriver::keeper {
namespace {

constexpr const char* kStatusLost = "the keeper was restarted; its exit status could not be read";
constexpr const char* kStartLost =
    "the keeper was restarted while it started this attempt; whether it ran is not known";

std::uint64_t microseconds_of(const timeval& time) {
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(time.tv_usec);
}

Outcome outcome_of(int wait_status) {
  if (WIFSIGNALED(wait_status)) return {OutcomeKind::signaled, WTERMSIG(wait_status)};
  return {OutcomeKind::exited, WEXITSTATUS(wait_status)};
}

bool has_timed_out(const LiveAttempt& attempt) { return attempt.record.terms && attempt.record.terms->timed_out; }

std::string describe_limit(const LiveAttempt& attempt) {
  return "the time limit of " + to_duration_text(attempt.record.terms->time_limit) + " was reached";
}

std::string first_line_of(const std::string& path) {
  // The file may be a user's, who may have put anything in its place.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  std::array<char, 512> text{};
  const auto size = file ? ::read(file.get(), text.data(), text.size()) : -1;
  std::string line(text.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  line.resize(std::min(line.find('\n'), line.size()));
  return line;
}

std::string describe_limit_of_memory(const LiveAttempt& attempt) {
  const auto bytes = attempt.record.memory_bytes;
  return bytes == 0 ? "out of memory" : "out of memory at the limit of " + std::to_string(bytes) + " bytes";
}

// A launching program that goes into a unit itself is the first that its limit of memory meets.
bool is_launch_without_memory(const LiveAttempt& attempt, const Outcome& outcome) {
  constexpr std::uint64_t kEnoughToLaunch = std::uint64_t{16} << 20;
  const auto bytes = attempt.record.memory_bytes;
  return outcome == Outcome{OutcomeKind::signaled, SIGKILL} && bytes != 0 && bytes < kEnoughToLaunch;
}

// What a launching program said of the start counts more than how it ended.
void apply_report(const LiveAttempt& attempt, AttemptEnd& end) {
  if (!attempt.report || attempt.record.asked) return;
  if (attempt.report->verdict() == StartReport::Verdict::failed) {
    end.outcome = attempt.report->outcome();
    end.message = attempt.report->message();
  } else if (attempt.report->verdict() == StartReport::Verdict::silent &&
             is_launch_without_memory(attempt, end.outcome)) {
    end.outcome = {OutcomeKind::oom_killed, SIGKILL};
    end.message = describe_limit_of_memory(attempt);
  } else if (attempt.report->verdict() == StartReport::Verdict::silent) {
    end.outcome = {OutcomeKind::never_started, EIO};
    end.message = first_line_of(attempt.record.stderr_path);
    if (end.message.empty()) end.message = "its launching program ended without a word";
  }
}

void apply_finish(const LiveAttempt& attempt, AttemptEnd& end) {
  if (!attempt.controlled) return;
  const auto& report = attempt.controlled->report;
  // A command that was not executed did not end: why it was not is what counts.
  const bool was_executed = !attempt.report || attempt.report->verdict() != StartReport::Verdict::failed;
  if (report.outcome && was_executed) {
    end.outcome = *report.outcome;
    end.message = report.message;
    if (end.outcome.kind == OutcomeKind::oom_killed) {
      if (end.message.empty()) end.message = describe_limit_of_memory(attempt);
      // Memory may have run out for a part of it long before the rest was asked to end.
      if (attempt.record.asked) end.outcome = {OutcomeKind::signaled, SIGKILL};
    }
  }
  if (report.cpu_microseconds) end.usage.cpu_microseconds = *report.cpu_microseconds;
  if (report.peak_bytes) end.usage.max_rss_bytes = *report.peak_bytes;
}

std::string describe_left(const LiveAttempt& attempt) {
  // A tree that was asked to end need not end from its leaves.
  if (attempt.left_count == 0 || attempt.record.asked || has_timed_out(attempt)) return {};
  return std::to_string(attempt.left_count) + (attempt.left_count == 1 ? " process was" : " processes were") +
         " left behind and ended:" + attempt.left_behind;
}

std::string describe_out_of_memory(const LiveAttempt& attempt) {
  const auto kills = attempt.counted.oom_kills;
  if (kills == 0) return {};
  const bool limited = attempt.record.cgroup.limits_memory && attempt.record.memory_bytes != 0;
  return "out of memory: the kernel killed " + std::to_string(kills) + (kills == 1 ? " process" : " processes") +
         (limited ? " at the limit of " + std::to_string(memory_limit_of(attempt.record.memory_bytes)) + " bytes"
                  : " though the task had no limit of its own");
}

void add(std::string& message, const std::string& more) {
  if (!more.empty()) message += (message.empty() ? "" : "; ") + more;
}

}  // namespace

Usage usage_of(const rusage& used) {
  Usage usage;
  usage.cpu_microseconds = microseconds_of(used.ru_utime) + microseconds_of(used.ru_stime);
  usage.max_rss_bytes = static_cast<std::uint64_t>(used.ru_maxrss) * 1024;
  return usage;
}

AttemptEnd end_of(const LiveAttempt& attempt, std::optional<int> wait_status, Usage used) {
  AttemptEnd end;
  end.usage = used;
  if (attempt.counted.cpu_microseconds != 0) end.usage.cpu_microseconds = attempt.counted.cpu_microseconds;
  if (attempt.counted.peak_bytes != 0) end.usage.max_rss_bytes = attempt.counted.peak_bytes;
  if (!attempt.ours) end.message = attempt.pid() == 0 ? kStartLost : kStatusLost;
  if (attempt.ours && !wait_status) end.message = "its exit status could not be read";
  if (!wait_status && attempt.record.terms && attempt.record.terms->main_status) {
    wait_status = attempt.record.terms->main_status;  // an earlier keeper has read it
    end.message.clear();
  }
  if (wait_status) end.outcome = outcome_of(*wait_status);
  apply_report(attempt, end);
  apply_finish(attempt, end);
  add(end.message, describe_out_of_memory(attempt));
  const bool ended_well = end.outcome == Outcome{OutcomeKind::exited, 0};
  if (wait_status && attempt.counted.oom_kills != 0 && !ended_well && !attempt.record.asked) {
    if (end.outcome.kind == OutcomeKind::exited) {
      add(end.message, "its main process exited with " + std::to_string(end.outcome.value));
    }
    end.outcome = {OutcomeKind::oom_killed, SIGKILL};
  }
  if (has_timed_out(attempt)) {
    end.outcome = {OutcomeKind::timed_out, 0};
    end.message = describe_limit(attempt);
  }
  add(end.message, describe_left(attempt));
  return end;
}

}  // namespace hakuriver::keeper
