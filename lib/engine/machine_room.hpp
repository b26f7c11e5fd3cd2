// Whether the machine has room for one more command.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace hakuriver::engine {

struct RoomNeeded {
  // 0: any; else neither the load average of the last minute nor the number of those that want to run now is above.
  double max_load = 0;
  std::uint64_t min_free_memory_bytes = 0;  // so much must be available for new programs, without swapping
};

// What the system does not tell does not hinder. The load average follows what happens by many seconds, so what was
// started just now is seen in the second number only (proc(5), loadavg).
bool has_machine_room(const RoomNeeded& needed);

// From the text of /proc/loadavg: the first of its numbers.
std::optional<double> parse_load_average(std::string_view text);

// From the same: how many threads run or are ready to.
std::optional<std::uint64_t> parse_runnable(std::string_view text);

// From the text of /proc/meminfo: MemAvailable, in bytes.
std::optional<std::uint64_t> parse_available_memory(std::string_view text);

}  // namespace hakuriver::engine
