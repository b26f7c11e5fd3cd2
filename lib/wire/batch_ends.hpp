// What has ended of a batch, for whoever follows it: asked for by the tasks that are not yet known to have ended.
//
//   {"open": [[0, 1000]], "limit": 500, "wait": 20, "outputs": 4096}
//   {"batch_id": "41", "ends": [[INDEX, COUNT, ATTEMPT, STATUS, KIND, VALUE, STARTED, ENDED, CPU, RSS, OUT, ERR,
//     "MESSAGE"], ...], "outputs": [[INDEX, "stdout", "TEXT"], ...]}
//
// docs/sweeps.md describes both.
#pragma once

#include <cstdint>
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
inline constexpr std::uint64_t kMostBytesOfOutput = 65'536;  // of a stream that comes with its end

struct BatchEndsQuery {
  std::vector<PlaceRange> open{};  // tasks by their index in the batch, ascending and apart; none: all
  std::uint32_t limit = kMostEnds;
  std::uint64_t wait_seconds = 0;  // for the first end, where there is none yet
  std::uint64_t output_bytes = 0;  // outputs up to so many bytes are to come with their ends; 0: none
  bool operator==(const BatchEndsQuery&) const = default;
};

// All that a task wrote to one of its streams.
struct EndOutput {
  TaskId task;
  bool is_stderr = false;
  std::string bytes{};
  bool operator==(const EndOutput&) const = default;
};

struct BatchEnds {
  std::vector<EndRecord> ends{};     // read back: without the nodes' names
  std::vector<EndOutput> outputs{};  // by task, and stdout before stderr; those that are absent may be had one by one
  bool operator==(const BatchEnds&) const = default;
};

std::string encode(const BatchEndsQuery& query);
// Errc::parse, or Errc::limit where a bound is passed.
Result<BatchEndsQuery> decode_batch_ends_query(std::string_view body);

// "outputs" only where there are some.
std::string encode(BatchId batch, const BatchEnds& ends);
Result<BatchEnds> decode_batch_ends(std::string_view body, BatchId batch);

}  // namespace hakuriver::wire
