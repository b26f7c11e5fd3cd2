#include "engine/lingering_groups.hpp"

#include <signal.h>

#include <vector>

namespace hakuriver::engine {

void LingeringGroups::add(pid_t group, Clock::time_point now, std::chrono::milliseconds grace, bool terminate_now) {
  if (::kill(-group, terminate_now ? SIGTERM : 0) != 0) return;
  if (terminate_now) ::kill(-group, SIGCONT);
  groups_.push_back({group, now + grace, false});
}

void LingeringGroups::check(Clock::time_point now) {
  std::vector<Group> left;
  for (Group group : groups_) {
    if (::kill(-group.id, 0) != 0) continue;
    if (now >= group.deadline) {
      if (group.killed) continue;
      ::kill(-group.id, SIGKILL);
      group.killed = true;
      group.deadline = now + kKillGrace;
    }
    left.push_back(group);
  }
  groups_ = std::move(left);
}

void LingeringGroups::kill(Clock::time_point now) {
  for (Group& group : groups_) {
    if (!group.killed) group.deadline = now;
  }
  check(now);
}

}  // namespace hakuriver::engine
