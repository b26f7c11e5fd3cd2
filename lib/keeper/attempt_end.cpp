#include "keeper/attempt_end.hpp"

#include <signal.h>
#include <sys/wait.h>

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

std::string describe_left(const LiveAttempt& attempt) {
  // A tree that was asked to end need not end from its leaves.
  if (attempt.left_count == 0 || attempt.record.asked) return {};
  return std::to_string(attempt.left_count) + (attempt.left_count == 1 ? " process was" : " processes were") +
         " left behind and ended:" + attempt.left_behind;
}

std::string describe_out_of_memory(const LiveAttempt& attempt) {
  const auto kills = attempt.counted.oom_kills;
  if (kills == 0) return {};
  const bool limited = attempt.record.cgroup.limits_memory && attempt.record.memory_bytes != 0;
  return "out of memory: the kernel killed " + std::to_string(kills) + (kills == 1 ? " process" : " processes") +
         (limited ? " at the limit of " + std::to_string(attempt.record.memory_bytes) + " bytes"
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
  if (wait_status) end.outcome = outcome_of(*wait_status);
  add(end.message, describe_out_of_memory(attempt));
  const bool ended_well = end.outcome == Outcome{OutcomeKind::exited, 0};
  if (wait_status && attempt.counted.oom_kills != 0 && !ended_well && !attempt.record.asked) {
    if (end.outcome.kind == OutcomeKind::exited) {
      add(end.message, "its main process exited with " + std::to_string(end.outcome.value));
    }
    end.outcome = {OutcomeKind::oom_killed, SIGKILL};
  }
  add(end.message, describe_left(attempt));
  return end;
}

}  // namespace hakuriver::keeper
