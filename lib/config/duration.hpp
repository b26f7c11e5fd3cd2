// Lengths of time as people write them.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "hakuriver/result.hpp"

namespace hakuriver::config {

// "30s", "5m", "2h", "30d", "1w", "500ms", "1.5h", "1d12h": numbers with units from the largest to the smallest; a
// number alone is seconds. Up to three decimals, rounded down to milliseconds; at most 36500 days.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);

// A number of seconds, not negative, as parse_duration takes it.
Result<std::chrono::milliseconds> to_duration(double seconds);

// The shortest of its spellings in one unit: 90 s is "90s", 120 s is "2m", nothing is "0s".
std::string to_string(std::chrono::milliseconds duration);

}  // namespace hakuriver::config
