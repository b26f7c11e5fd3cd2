#include "service/health_history.hpp"

#include <chrono>
#include <utility>

#include "hakuriver/host/views.hpp"

namespace hakuriver::service {

struct HealthHistory::Kept {
  std::mutex mutex;
  std::deque<HealthSample> samples;  // guarded by mutex

  void add(HealthSample sample) {
    constexpr std::size_t kMostSamples = 60;
    const std::lock_guard lock(mutex);
    samples.push_back(std::move(sample));
    if (samples.size() > kMostSamples) samples.pop_front();
  }
};

HealthHistory::HealthHistory(HostService& host) : host_(host), kept_(std::make_shared<Kept>()) {}

HealthHistory::~HealthHistory() { stop(); }

void HealthHistory::start() {
  thread_ = std::thread([this] {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      host_.ask([kept = kept_](const HostState& state, Now now) {
        HealthSample sample;
        sample.nodes = view_nodes(state, now);
        sample.cluster = aggregate(sample.nodes, now.utc);
        kept->add(std::move(sample));
      });
      wake_.wait_for(lock, std::chrono::seconds(1), [this] { return stopping_; });
    }
  });
}

void HealthHistory::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

std::vector<HealthSample> HealthHistory::samples() const {
  const std::lock_guard lock(kept_->mutex);
  return {kept_->samples.begin(), kept_->samples.end()};
}

}  // namespace hakuriver::service
