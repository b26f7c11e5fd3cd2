// How much of the machine the control groups around this process leave it (cgroup v1 and v2, also both at once).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hakuriver::platform {

// None where nothing is limited.
struct CgroupLimits {
  std::optional<std::uint64_t> millicores;
  std::optional<std::uint64_t> memory_bytes;
  bool operator==(const CgroupLimits&) const = default;
};

// The directories of this process's groups from its own up to the outermost one that is visible: each may limit it.
struct CgroupDirectories {
  std::vector<std::string> unified;    // v2
  std::vector<std::string> cpu;        // v1
  std::vector<std::string> memory;     // v1
  std::vector<std::string> cpuacct{};  // v1, perhaps the same as cpu
  std::vector<std::string> freezer{};  // v1
  bool operator==(const CgroupDirectories&) const = default;
};

// From the texts of /proc/self/cgroup and /proc/self/mountinfo.
CgroupDirectories parse_cgroup_directories(std::string_view membership, std::string_view mountinfo);

// The same of this process; nothing where the files cannot be read. `root` as in read_cgroup_limits.
CgroupDirectories read_cgroup_directories(const std::string& root = "");

// v2's cpu.max: "150000 100000" -> 1500, "max 100000" -> none. Also v1's cpu.cfs_quota_us and cpu.cfs_period_us
// joined by a blank, where -1 is no limit.
std::optional<std::uint64_t> parse_cpu_quota(std::string_view text);

// v2's memory.max and v1's memory.limit_in_bytes: "max" and numbers from 2^60 up are no limit.
std::optional<std::uint64_t> parse_memory_limit(std::string_view text);

// The tightest limit of each kind. `root` is put in front of every path, for tests on a tree of files.
CgroupLimits read_cgroup_limits(const std::string& root = "");

}  // namespace hakuriver::platform
