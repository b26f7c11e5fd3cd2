// Commands that have failed and wait for another attempt.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <queue>
#include <set>
#include <vector>

#include "hakuriver/time.hpp"

namespace hakuriver {
inline namespace v1 {

// How long to wait after the attempt-th failed: doubles with each, up to an hour.
constexpr std::chrono::microseconds backoff_after(std::uint32_t attempt, std::chrono::microseconds first) noexcept {
  constexpr std::chrono::microseconds kLongest{3'600'000'000};
  auto wait = first;
  for (std::uint32_t i = 1; i < attempt && wait.count() > 0 && wait < kLongest; ++i)
    wait = std::min(wait * 2, kLongest);
  return wait;
}

struct Retry {
  MonotonicTime due;
  std::uint64_t position = 0;
  std::uint32_t attempt = 2;
  bool operator>(const Retry& other) const noexcept {
    return due != other.due ? due > other.due : position > other.position;
  }
};

class WaitingRetries {
 public:
  void add(const Retry& retry) {
    retries_.push(retry);
    positions_.insert(retry.position);
  }
  void clear() noexcept {
    retries_ = {};
    positions_.clear();
  }
  bool empty() const noexcept { return retries_.empty(); }
  std::size_t size() const noexcept { return retries_.size(); }

  // The lowest position; the highest number there is where none waits.
  std::uint64_t first() const noexcept { return positions_.empty() ? ~std::uint64_t{0} : *positions_.begin(); }

  // The one that is due first; not empty.
  const Retry& next() const { return retries_.top(); }
  Retry take() {
    const Retry retry = retries_.top();
    retries_.pop();
    positions_.erase(retry.position);
    return retry;
  }

 private:
  std::priority_queue<Retry, std::vector<Retry>, std::greater<>> retries_;
  std::set<std::uint64_t> positions_;
};

}  // namespace v1
}  // namespace hakuriver
