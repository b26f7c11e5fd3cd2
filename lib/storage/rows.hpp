// What more than one part of the room reads out of rows. Lists lie in one column as JSON, because nobody looks for a
// part of them there.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hakuriver/outcome.hpp"
#include "hakuriver/result.hpp"
#include "hakuriver/target.hpp"
#include "hakuriver/task.hpp"
#include "hakuriver/task_store.hpp"

namespace hakuriver::storage {

// Empty for no items, and the other way round.
std::string encode_targets(const std::vector<Target>& targets);
std::string encode_failed_targets(const std::vector<FailedTarget>& failed);
// Errc::parse: somebody else wrote it, or the disk.
Result<std::vector<Target>> decode_targets(std::string_view text);
Result<std::vector<FailedTarget>> decode_failed_targets(std::string_view text);

// How a task ended, of TaskStatus' and OutcomeKind's numbers. Errc::parse where the number is none of them.
Result<TaskStatus> final_status(std::int64_t number);
Result<OutcomeKind> outcome_kind(std::int64_t number);

// A row of `path` that cannot be read, as Errc::io: "database '/x': batch 7 is damaged: ...".
Error damaged(const std::string& path, const std::string& what, const Error& why);

}  // namespace hakuriver::storage
