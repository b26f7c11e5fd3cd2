// The values of hakurun's options, read from their text. Each error is one line that quotes what was given.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "hakuriver/result.hpp"
#include "hakuriver/run_options.hpp"

namespace hakuriver::cli {

// What -j accepts, and what relative numbers of jobs stop at.
inline constexpr std::uint32_t kMostJobs = 10'000;

// "4", "50%" of the CPUs, "+2" more than the CPUs.
struct JobCount {
  enum class Kind : std::uint8_t { number, percent, more };
  Kind kind = Kind::number;
  std::uint32_t value = 1;
  bool operator==(const JobCount&) const = default;

  // At least 1.
  std::uint32_t resolve(std::uint32_t cpus) const noexcept;
};

Result<JobCount> parse_job_count(std::string_view text);

// A whole number from `least` on.
Result<std::uint64_t> parse_whole_number(std::string_view text, std::uint64_t least,
                                         std::uint64_t most = std::numeric_limits<std::uint64_t>::max());

// "never", "soon", "now", each of the last two with ",fail=3" or ",fail=10%".
Result<HaltPolicy> parse_halt(std::string_view text);

// "30s", "1.5h", "200%".
Result<TimeLimit> parse_time_limit(std::string_view text);

Result<std::chrono::microseconds> parse_time(std::string_view text);

// "4", "1.5", "80%" of the CPUs.
Result<double> parse_load(std::string_view text, std::uint32_t cpus);

// -20 to 19.
Result<int> parse_nice(std::string_view text);

// "0,1,2" as one list of variables for each.
Result<std::vector<std::vector<std::string>>> parse_gpus(std::string_view text);

// "NAME=value".
Result<std::string> parse_variable(std::string_view text);

// 1, true, yes, on, or 0, false, no, off: what a variable of the environment says of a flag.
Result<bool> parse_flag(std::string_view text);

}  // namespace hakuriver::cli
