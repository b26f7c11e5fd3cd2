// How one attempt ended, as the one who waited for it saw it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hakuriver {
inline namespace v1 {

enum class OutcomeKind : std::uint8_t {
  exited = 0,      // value: the exit code, 0 to 255
  signaled = 1,    // value: the signal's number
  oom_killed = 2,  // the kernel's own record says that memory ran out; value: the signal's number
  never_started =
      3,  // the node could not start it (no space, no descriptors, no memory); value: the errno. Not the task's fault
  unknown = 4,    // it ended, or was never seen again, and who could have read its status is gone
  timed_out = 5,  // it reached its time limit and was ended for that, however it took it; value: 0
};

inline constexpr OutcomeKind kLastOutcomeKind = OutcomeKind::timed_out;

struct Outcome {
  OutcomeKind kind = OutcomeKind::unknown;
  std::int32_t value = 0;
  bool operator==(const Outcome&) const = default;
};

// What it used, where the system told; zero where it did not. In a cgroup it is what the kernel counted for the whole
// process tree; else for the waited-for process and its waited-for children.
struct Usage {
  std::uint64_t cpu_microseconds = 0;  // user and system
  std::uint64_t max_rss_bytes = 0;     // of the largest process; in a cgroup of all together, with the page cache
  bool operator==(const Usage&) const = default;
};

// The exit status a shell would show: the code, or 128 + the signal, 124 at a time limit as timeout(1) has it; 1 where
// it is not known.
constexpr int shell_status(const Outcome& outcome) noexcept {
  switch (outcome.kind) {
    case OutcomeKind::exited:
      return outcome.value;
    case OutcomeKind::signaled:
    case OutcomeKind::oom_killed:
      return 128 + outcome.value;
    case OutcomeKind::timed_out:
      return 124;
    case OutcomeKind::never_started:
    case OutcomeKind::unknown:
      return 1;
  }
  return 1;
}

}  // namespace v1
}  // namespace hakuriver
