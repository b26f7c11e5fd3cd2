// What has ended of a batch, for whoever follows it: asked for by the tasks that are not yet known to have ended.
//
//   {"open": [[0, 1000]], "limit": 500, "wait": 20}
//   {"batch_id": "41", "ends": [[INDEX, COUNT, ATTEMPT, STATUS, KIND, VALUE, STARTED, ENDED, CPU, RSS, OUT, ERR,
//     "MESSAGE"], ...]}
//
// docs/sweeps.md describes both.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hakuriver/ids.hpp"
#include "hakuriver/result.hpp"
#include "hakuriver/task_store.hpp"
#include "hakuriver/task_sweep.hpp"

namespace hakuriver::wire {

inline constexpr std::uint32_t kMostEnds = 1'000;
inline constexpr std::uint64_t kMostFollowSeconds = 300;
inline constexpr std::size_t kMostOpenRanges = 100'000;

struct BatchEndsQuery {
  std::vector<PlaceRange> open{};  // tasks by their index in the batch, ascending and apart; none: all
  std::uint32_t limit = kMostEnds;
  std::uint64_t wait_seconds = 0;  // for the first end, where there is none yet
  bool operator==(const BatchEndsQuery&) const = default;
};

std::string encode(const BatchEndsQuery& query);
// Errc::parse, or Errc::limit where a bound is passed.
Result<BatchEndsQuery> decode_batch_ends_query(std::string_view body);

std::string encode_batch_ends(BatchId batch, std::span<const EndRecord> ends);
// Without the nodes' names.
Result<std::vector<EndRecord>> decode_batch_ends(std::string_view body, BatchId batch);

}  // namespace hakuriver::wire
