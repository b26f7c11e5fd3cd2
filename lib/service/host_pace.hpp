// How long the host's owner may sleep while nobody says anything.
#pragma once

#include <algorithm>
#include <chrono>

#include "hakuriver/host/state.hpp"

namespace hakuriver::service {

// When the next tick is due: at the next deadline that a node holds, soon where waiting tasks may become able to
// start by time alone, and now and then in any case. Never less than a second after the last.
inline MonotonicTime next_tick(const HostState& state, MonotonicTime last) {
  constexpr std::chrono::seconds kSoon{1};
  constexpr std::chrono::seconds kNowAndThen{4};  // a tick that is 5 s late moves all deadlines
  if (!state.heads.empty()) return last + kSoon;
  MonotonicTime due = last + kNowAndThen;
  for (const auto& node : state.nodes) {
    if (node.presence == Presence::gone || node.presence == Presence::silent) continue;
    if (node.ahead_count > 0) return last + kSoon;
    due = std::min(due, node.deadline);
    if (node.poll.value != 0) due = std::min(due, node.poll_since + state.policy.poll_hold);
  }
  return std::max(due, last + kSoon);
}

}  // namespace hakuriver::service
