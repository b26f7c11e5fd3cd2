// Whether the machine has room for one more command.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace hakuriver::engine {

struct RoomNeeded {
  double max_load = 0;                      // 0: any; else the load average of the last minute must not be above
  std::uint64_t min_free_memory_bytes = 0;  // so much must be available for new programs, without swapping
};

// What the system does not tell does not hinder. The load average follows what happens by seconds (proc(5), loadavg),
// so starts that ask for it should have a moment between them.
bool has_machine_room(const RoomNeeded& needed);

// From the text of /proc/loadavg: the first of its numbers.
std::optional<double> parse_load_average(std::string_view text);

// From the text of /proc/meminfo: MemAvailable, in bytes.
std::optional<std::uint64_t> parse_available_memory(std::string_view text);

}  // namespace hakuriver::engine
