// How busy, full and hot the machine is, as /proc and /sys tell it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hakuriver/node.hpp"
#include "hakuriver/result.hpp"

namespace hakuriver::platform {

// Time since boot over all logical CPUs, in clock ticks.
struct CpuTimes {
  std::uint64_t busy = 0;
  std::uint64_t total = 0;
  bool operator==(const CpuTimes&) const = default;
};

struct MemorySizes {
  std::uint64_t total_bytes = 0;
  std::uint64_t available_bytes = 0;  // for new programs, without swapping
  bool operator==(const MemorySizes&) const = default;
};

// From the first line of /proc/stat (proc(5)). Waiting for a disk is not busy; a guest's time is part of user time
// already.
Result<CpuTimes> parse_cpu_times(std::string_view text);

// The share of busy time between two readings, 0 to 100; 0 where no time has passed or the counters went back.
double cpu_percent(CpuTimes before, CpuTimes after) noexcept;

// From /proc/meminfo. Kernels before 3.14 have no MemAvailable: there it is MemFree + Buffers + Cached.
Result<MemorySizes> parse_memory(std::string_view text);

// A sensor's file in thousandths of a degree Celsius; none where it holds no plausible number.
std::optional<double> parse_temperature(std::string_view text);

// Degrees Celsius of the CPU's sensors, one each: those of hwmon drivers for CPUs, or else the CPU's thermal zones.
// Empty where there are none, as on most virtual machines.
std::vector<double> read_cpu_temperatures(const std::string& root = "");

// Reads the machine's health again and again. One thread uses it at a time.
class HealthReader {
 public:
  // `root` is put in front of every path, for tests. The first CPU reading is taken here.
  explicit HealthReader(std::string root = "");

  // CPU use counts from the reading before.
  Result<NodeHealth> read();

 private:
  std::string root_;
  CpuTimes before_;
};

}  // namespace hakuriver::platform
