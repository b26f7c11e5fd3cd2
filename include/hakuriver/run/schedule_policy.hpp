// What a schedule goes by: RunOptions and the traits of a backend, without what they have for others.
#pragma once

#include <chrono>
#include <cstdint>

#include "hakuriver/run_options.hpp"

namespace hakuriver {
inline namespace v1 {

struct SchedulePolicy {
  std::uint64_t places = 1;         // how many attempts run at once; at least 1
  std::uint64_t longest_range = 1;  // how many positions one start may have; at least 1
  std::uint32_t retries = 0;
  std::chrono::microseconds backoff{0};
  TimeLimit time_limit{};  // of starts of one position; longer ones are limited by their backend
  std::chrono::microseconds term_grace{5'000'000};
  HaltPolicy halt{};
  std::chrono::microseconds delay{0};
  std::uint64_t most_ahead = ~std::uint64_t{0};  // at least 1; see RunOptions
};

}  // namespace v1
}  // namespace hakuriver
