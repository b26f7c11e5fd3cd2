// How the cluster was doing during the last minute: one sample a second, oldest first.
#pragma once

#include <deque>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "hakuriver/host/state.hpp"
#include "hakuriver/time.hpp"
#include "hakuriver/views.hpp"

namespace hakuriver::service {

// Nothing changes but in turns of the host, so it is told after those, and the seconds between two tellings were like
// the first: a cluster at rest costs no wake-up. What changes right after a telling shows with the next one.
class HealthHistory {
 public:
  // `clock` may be called from any thread.
  explicit HealthHistory(std::function<Now()> clock) : clock_(std::move(clock)) {}

  // Takes a sample, at the time of a turn. From any thread.
  void take(const HostState& state, Now now);

  // At most 60, oldest first. From any thread.
  std::vector<HealthSample> samples() const;

 private:
  struct Taken {
    MonotonicTime at;
    HealthSample sample;
  };
  const std::function<Now()> clock_;
  mutable std::mutex mutex_;
  std::deque<Taken> taken_;  // guarded by mutex_
};

}  // namespace hakuriver::service
