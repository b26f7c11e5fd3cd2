#include "platform/cgroup_limits.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "support/scratch_directory.hpp"

using namespace hakuriver;
using hakuriver::test::ScratchDirectory;
using platform::CgroupDirectories;
using platform::CgroupLimits;

namespace {

using Directories = std::vector<std::string>;

// Of a Debian 12 machine with both versions mounted.
constexpr std::string_view kHybridMounts =
    "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n"
    "33 31 0:30 / /sys/fs/cgroup/cpuacct rw,relatime - cgroup cgroup rw,cpuacct\n"
    "34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset\n"
    "33 31 0:30 / /sys/fs/cgroup/freezer rw,relatime - cgroup cgroup rw,freezer\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
constexpr std::string_view kHybridMembership =
    "9:name=systemd:/\n6:freezer:/\n4:memory:/process_api/e735\n3:cpuset:/\n2:cpuacct:/\n1:cpu:/\n0::/\n";
constexpr std::string_view kUnifiedMounts =
    "26 22 0:23 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";

}  // namespace

TEST_CASE("the groups of a process are its own and those around it") {
  CHECK(platform::parse_cgroup_directories(kHybridMembership, kHybridMounts) ==
        CgroupDirectories{
            {"/sys/fs/cgroup/unified"},
            {"/sys/fs/cgroup/cpu"},
            {"/sys/fs/cgroup/memory/process_api/e735", "/sys/fs/cgroup/memory/process_api", "/sys/fs/cgroup/memory"},
            {"/sys/fs/cgroup/cpuacct"},
            {"/sys/fs/cgroup/freezer"}});
  CHECK(platform::parse_cgroup_directories("0::/user.slice/user-0.slice/x.scope\n", kUnifiedMounts).unified ==
        Directories{"/sys/fs/cgroup/user.slice/user-0.slice/x.scope", "/sys/fs/cgroup/user.slice/user-0.slice",
                    "/sys/fs/cgroup/user.slice", "/sys/fs/cgroup"});
  CHECK(platform::parse_cgroup_directories("", "") == CgroupDirectories{});
}

TEST_CASE("in a container the mount shows a part of the hierarchy") {
  constexpr std::string_view kMounts =
      "800 799 0:30 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
      "801 799 0:31 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n";
  const auto found =
      platform::parse_cgroup_directories("5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc/inner\n", kMounts);
  CHECK(found.memory == Directories{"/sys/fs/cgroup/memory"});
  CHECK(found.cpu == Directories{"/sys/fs/cgroup/cpu,cpuacct/inner", "/sys/fs/cgroup/cpu,cpuacct"});
  CHECK(found.cpuacct == found.cpu);
  CHECK(found.freezer.empty());
}

TEST_CASE("CPU quotas are read in both versions' form") {
  struct Row {
    std::string_view text;
    std::optional<std::uint64_t> millicores;
  };
  for (const auto& row : std::vector<Row>{{"150000 100000", 1500},
                                          {"50000 100000\n", 500},
                                          {"400000 50000", 8000},
                                          {"max 100000", std::nullopt},
                                          {"-1 100000", std::nullopt},
                                          {"100000 0", std::nullopt},
                                          {"100000", std::nullopt},
                                          {"", std::nullopt},
                                          {" 100000", std::nullopt},
                                          {"99999999999999999999 1", std::nullopt},
                                          {"18446744073709551615 1", std::nullopt},
                                          {"a b", std::nullopt}}) {
    CAPTURE(row.text);
    CHECK(platform::parse_cpu_quota(row.text) == row.millicores);
  }
}

TEST_CASE("memory limits are read in both versions' form") {
  struct Row {
    std::string_view text;
    std::optional<std::uint64_t> bytes;
  };
  for (const auto& row : std::vector<Row>{{"1073741824\n", 1073741824},
                                          {"0", 0},
                                          {"max\n", std::nullopt},
                                          {"9223372036854771712\n", std::nullopt},
                                          {"1152921504606846976", std::nullopt},
                                          {"-1", std::nullopt},
                                          {"", std::nullopt},
                                          {"1G", std::nullopt}}) {
    CAPTURE(row.text);
    CHECK(platform::parse_memory_limit(row.text) == row.bytes);
  }
}

TEST_CASE("the tightest limit of a group and those around it holds, in version 2") {
  const ScratchDirectory scratch;
  CHECK(platform::read_cgroup_limits(scratch.path()) == CgroupLimits{});
  scratch.write("proc/self/cgroup", "0::/a/b\n");
  scratch.write("proc/self/mountinfo", kUnifiedMounts);
  CHECK(platform::read_cgroup_limits(scratch.path()) == CgroupLimits{});
  scratch.write("sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
  scratch.write("sys/fs/cgroup/a/b/memory.max", "8589934592\n");
  scratch.write("sys/fs/cgroup/a/cpu.max", "250000 100000\n");
  scratch.write("sys/fs/cgroup/a/memory.max", "4294967296\n");
  CHECK(platform::read_cgroup_limits(scratch.path()) == CgroupLimits{2500, 4294967296});
}

TEST_CASE("the tightest limit of a group and those around it holds, in version 1") {
  const ScratchDirectory scratch;
  scratch.write("proc/self/cgroup", kHybridMembership);
  scratch.write("proc/self/mountinfo", kHybridMounts);
  scratch.write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  scratch.write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  scratch.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  CHECK(platform::read_cgroup_limits(scratch.path()) == CgroupLimits{});
  scratch.write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "120000\n");
  scratch.write("sys/fs/cgroup/memory/process_api/e735/memory.limit_in_bytes", "1000000\n");
  CHECK(platform::read_cgroup_limits(scratch.path()) == CgroupLimits{1200, 1000000});
}
