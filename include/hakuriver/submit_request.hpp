// A submission as people send it, and what they are told of it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hakuriver/ids.hpp"
#include "hakuriver/target.hpp"
#include "hakuriver/task.hpp"
#include "hakuriver/task_store.hpp"

namespace hakuriver {
inline namespace v1 {

// Why a submission without a target is refused while no runner is there: one may only be starting.
inline constexpr std::string_view kNoNodeIsOnline = "no node is online";

// What it leaves to the host is said by the three flags: the host fills those parts of the spec before it takes it.
struct SubmitRequest {
  TaskSpec spec{};
  // Empty: any node; one: `count` tasks there; more: one task each, or of a sweep all of its tasks on any of them,
  // which are of different nodes then.
  std::vector<Target> targets{};
  std::uint64_t count = 1;          // of tasks
  std::string submission_id{};      // makes a repetition safe; at most 64 printable ASCII characters; may be empty
  bool default_container = false;   // no container was named: the host's default, where it has one
  bool default_mounts = false;      // no mounts were given
  bool default_privileged = false;  // nothing was said of it
  bool operator==(const SubmitRequest&) const = default;
};

struct SubmitAnswer {
  BatchId batch;
  std::uint64_t count = 0;  // its tasks are task_of(batch, 0) .. task_of(batch, count - 1)
  std::vector<FailedTarget> failed_targets;
  bool operator==(const SubmitAnswer&) const = default;
};

inline constexpr std::size_t kMaxSubmissionIdBytes = 64;

}  // namespace v1
}  // namespace hakuriver
