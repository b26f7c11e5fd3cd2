// How the cluster was doing during the last minute: one sample a second, oldest first.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "hakuriver/views.hpp"
#include "service/host_service.hpp"

namespace hakuriver::service {

class HealthHistory {
 public:
  // Samples are taken in the host's turns. `host` must outlive the history.
  explicit HealthHistory(HostService& host);
  // Stops; no sample is taken afterwards.
  ~HealthHistory();
  HealthHistory(const HealthHistory&) = delete;
  HealthHistory& operator=(const HealthHistory&) = delete;

  void start();
  void stop();

  // At most 60, oldest first. From any thread.
  std::vector<HealthSample> samples() const;

 private:
  struct Kept;
  HostService& host_;
  const std::shared_ptr<Kept> kept_;  // outlives questions that are under way
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace hakuriver::service
