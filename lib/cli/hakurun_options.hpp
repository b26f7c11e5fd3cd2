// hakurun's command line: its own options, then the command.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "hakuriver/argv.hpp"
#include "hakuriver/result.hpp"

namespace hakuriver::cli {

// What --parallel stops at.
inline constexpr std::uint32_t kMostAtOnce = 1000;

// What -j accepts.
inline constexpr std::uint32_t kMostJobs = 10'000;

struct HakurunOptions {
  bool parallel = false;
  bool dry_run = false;
  bool count = false;
  bool help = false;
  bool version = false;
  std::optional<std::uint32_t> jobs;
  std::optional<std::uint64_t> limit;
  Argv typed_before;  // "hakurun" and its options, as typed
  Argv command;       // empty only with help and version
};

// Options end at the first word that is none, or after "--".
Result<HakurunOptions> parse_hakurun_options(std::span<const char* const> arguments);

std::string hakurun_help();

}  // namespace hakuriver::cli
