// The median of any number of durations, in constant memory.
#pragma once

#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace hakuriver {
inline namespace v1 {

// Counts durations by size, in steps of a thirty-second part: the median that it tells is never below the true one and
// at most 1/32 above it.
class RuntimeMedian {
 public:
  void add(std::chrono::microseconds duration) noexcept {
    ++counts_[bucket_of(static_cast<std::uint64_t>(duration.count() < 0 ? 0 : duration.count()))];
    ++total_;
  }

  std::uint64_t count() const noexcept { return total_; }

  // Of an even number the lower one of the middle two; zero of none.
  std::chrono::microseconds median() const noexcept {
    std::uint64_t below = 0;
    for (std::size_t bucket = 0; bucket < counts_.size(); ++bucket) {
      below += counts_[bucket];
      if (below * 2 >= total_ && total_ > 0) return std::chrono::microseconds{largest_of(bucket)};
    }
    return {};
  }

 private:
  static constexpr unsigned kStepBits = 5;
  static constexpr std::uint64_t kSteps = 1u << kStepBits;

  // Below kSteps each number has its own; above, each power of two is divided into kSteps.
  static constexpr std::size_t bucket_of(std::uint64_t number) noexcept {
    if (number < kSteps) return static_cast<std::size_t>(number);
    const unsigned shift = static_cast<unsigned>(std::bit_width(number)) - 1 - kStepBits;
    return static_cast<std::size_t>((shift + 1) * kSteps + (number >> shift) - kSteps);
  }

  static constexpr std::int64_t largest_of(std::size_t bucket) noexcept {
    if (bucket < kSteps) return static_cast<std::int64_t>(bucket);
    const auto shift = static_cast<unsigned>(bucket / kSteps) - 1;
    return static_cast<std::int64_t>(((bucket % kSteps + kSteps + 1) << shift) - 1);
  }

  std::array<std::uint64_t, (63 - kStepBits + 1) * kSteps> counts_{};
  std::uint64_t total_ = 0;
};

}  // namespace v1
}  // namespace hakuriver
