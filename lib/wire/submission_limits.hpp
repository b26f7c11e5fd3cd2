// What a submission may hold, whatever route it came by. The numbers are in hakuriver/task.hpp.
#pragma once

#include <string_view>

#include "hakuriver/submit_request.hpp"
#include "wire/invalid_input.hpp"

namespace hakuriver::wire {

// Each word costs at least its NUL towards kMaxArgvAndEnvironmentBytes.
inline constexpr std::size_t kMaxWords = kMaxArgvAndEnvironmentBytes;
inline constexpr std::size_t kMaxMounts = 256;
inline constexpr std::size_t kMaxPathBytes = 4'095;

// How a route calls the parts of a spec.
struct FieldNames {
  std::string_view first_word;  // empty: argv is one array
  std::string_view words;
  std::string_view environment;
  std::string_view container;
  std::string_view mounts;
  std::string_view time_limit = "time_limit";
};
inline constexpr FieldNames kSeedFields{"command", "arguments", "env_vars", "container_name", "additional_mounts"};
inline constexpr FieldNames kOwnFields{"", "argv", "environment", "container", "mounts"};

// At most 64 printable ASCII characters without blanks; empty is none.
bool is_submission_id(std::string_view text) noexcept;

void check_limits(const SubmitRequest& request, const FieldNames& names, InvalidInput& errors);

}  // namespace hakuriver::wire
