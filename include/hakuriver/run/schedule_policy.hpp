// What a schedule goes by - RunOptions and the traits of a backend, without what they have for others - and what it
// orders, is told, and answers.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "hakuriver/backend.hpp"
#include "hakuriver/run_events.hpp"
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

// The attempt-th try at the positions first, first + 1, ...
struct PlannedStart {
  std::uint64_t first = 0;
  std::uint64_t count = 1;
  std::uint32_t attempt = 1;
};

struct StopOrder {
  std::optional<std::uint64_t> position;  // none: all that run
  StopHow how = StopHow::terminate;
  bool operator==(const StopOrder&) const = default;
};

struct AttemptReport {
  bool exited_well = false;  // with 0
  bool signaled = false;
  bool timed_out = false;  // by its backend
  std::chrono::microseconds elapsed{0};
};

struct AttemptVerdict {
  EndVerdict verdict = EndVerdict::failed;
  bool timed_out = false;
};

}  // namespace v1
}  // namespace hakuriver
