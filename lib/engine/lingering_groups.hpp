// Process groups whose leader has ended and that are to end, too, until nothing is left of them.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <vector>

namespace hakuriver::engine {

// What is left of a group gets its grace from its leader's end to finish what TERM began, then KILL. A group that is
// there kKillGrace later has only zombies that nobody reaps, and is given up.
class LingeringGroups {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds kKillGrace{1000};

  // Takes the group on if anything is left of it. It has been sent TERM already, or is sent it now.
  void add(pid_t group, Clock::time_point now, std::chrono::milliseconds grace, bool terminate_now);
  void check(Clock::time_point now);
  void kill(Clock::time_point now);
  bool empty() const noexcept { return groups_.empty(); }

 private:
  struct Group {
    pid_t id;
    Clock::time_point deadline;
    bool killed;
  };
  std::vector<Group> groups_;
};

}  // namespace hakuriver::engine
