// Names for things that are numbers: each id is a type of its own, so that one cannot stand for another.
#pragma once

#include <charconv>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "hakuriver/result.hpp"

namespace hakuriver {
inline namespace v1 {

template <class Tag, class Rep = std::uint64_t>
struct StrongId {
  Rep value{};
  auto operator<=>(const StrongId&) const = default;
};

// A task and a batch share one sequence. A batch of n tasks takes n + 1 consecutive ids: its own, then its
// tasks' in order, so a batch id is never a task id. Zero is no id.
using TaskId = StrongId<struct TaskTag>;
using BatchId = StrongId<struct BatchTag>;

// Numbers the tries of one task, from 1. A report of another attempt is an echo.
using Attempt = StrongId<struct AttemptTag, std::uint32_t>;

// Raised and committed at each host start; a higher epoch outranks a lower one.
using Epoch = StrongId<struct EpochTag>;

// Names one run of a node's agent: towards the host by the challenge that it answered, which no other run of the node
// shares, even if the keeper's memory is lost. A keeper numbers the runs that it has seen, from 1.
using RunId = StrongId<struct RunTag>;

constexpr TaskId task_of(BatchId batch, std::uint64_t index) noexcept { return TaskId{batch.value + 1 + index}; }

inline std::string to_string(TaskId id) { return std::to_string(id.value); }
inline std::string to_string(BatchId id) { return std::to_string(id.value); }

// Reads a decimal id: digits only, from 1 to 2^63 - 1 (SQLite and JSON readers keep ids in signed 64 bits).
inline Result<std::uint64_t> parse_id(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value == 0 || value > (std::uint64_t{1} << 63) - 1) {
    return Error{Errc::parse, "'" + std::string(text.substr(0, 64)) +
                                  "' is not an id: expected a number such as 7319847234987230000"};
  }
  return value;
}

}  // namespace v1
}  // namespace hakuriver

template <class Tag, class Rep>
struct std::hash<hakuriver::v1::StrongId<Tag, Rep>> {
  std::size_t operator()(const hakuriver::v1::StrongId<Tag, Rep>& id) const noexcept {
    return std::hash<Rep>{}(id.value);
  }
};
