#include "service/health_history.hpp"

#include <chrono>
#include <iterator>
#include <utility>

#include "hakuriver/host/views.hpp"

namespace hakuriver::service {

namespace {

constexpr int kSeconds = 60;

}  // namespace

void HealthHistory::take(const HostState& state, Now now) {
  HealthSample sample;
  sample.nodes = view_nodes(state, now);
  sample.cluster = aggregate(sample.nodes, now.utc);
  const std::lock_guard lock(mutex_);
  taken_.push_back({now.monotonic, std::move(sample)});
  // The last one from before the minute stays: it tells how the minute began.
  while (taken_.size() > 1 && taken_[1].at + std::chrono::seconds(kSeconds) <= now.monotonic) taken_.pop_front();
}

std::vector<HealthSample> HealthHistory::samples() const {
  const Now now = clock_();
  const std::lock_guard lock(mutex_);
  std::vector<HealthSample> samples;
  auto next = taken_.begin();
  for (int ago = kSeconds - 1; ago >= 0; --ago) {
    const std::chrono::seconds age(ago);
    while (next != taken_.end() && next->at + age <= now.monotonic) ++next;
    if (next == taken_.begin()) continue;
    samples.push_back(std::prev(next)->sample);
    samples.back().cluster.taken_at.microseconds = now.utc.microseconds - std::chrono::microseconds(age).count();
  }
  return samples;
}

}  // namespace hakuriver::service
