#include "keeper/cgroup.hpp"

#include <doctest/doctest.h>
#include <errno.h>
#include <sys/stat.h>

#include <algorithm>

#include "keeper/node.hpp"

using namespace hakuriver;
using namespace hakuriver::test;
using keeper::Cgroup;
using keeper::CgroupCounts;
using keeper::CpuQuota;

namespace {

const AttemptKey kKey{TaskId{7}, Attempt{1}};

// Files as the kernel has them in a cgroup, in an ordinary directory.
std::string fixture(const ScratchDirectory& scratch, const std::string& controller,
                    const std::vector<std::pair<std::string, std::string>>& files) {
  const auto parent = scratch / controller;
  REQUIRE(std::filesystem::create_directories(parent + "/7.1"));
  for (const auto& [name, text] : files) write_file(parent + "/7.1/" + name, text);
  return parent;
}

}  // namespace

TEST_CASE("a value is found by its whole name in the kernel's files") {
  const std::string events = "low 0\nhigh 0\nmax 41\noom 3\noom_kill 2\noom_group_kill 0\n";
  CHECK(keeper::value_of(events, "oom_kill") == 2);
  CHECK(keeper::value_of(events, "oom") == 3);
  CHECK(keeper::value_of(events, "oom_") == std::nullopt);
  CHECK(keeper::value_of("oom_kill_disable 0\nunder_oom 0\noom_kill 5", "oom_kill") == 5);
  CHECK(keeper::value_of("usage_usec x\n", "usage_usec") == std::nullopt);
  CHECK(keeper::value_of("", "oom") == std::nullopt);
}

TEST_CASE("millicores become a quota that the kernel takes") {
  CHECK(keeper::quota_of(1000) == CpuQuota{100'000, 100'000});
  CHECK(keeper::quota_of(2500) == CpuQuota{250'000, 100'000});
  CHECK(keeper::quota_of(10) == CpuQuota{1000, 100'000});
  CHECK(keeper::quota_of(9) == CpuQuota{9000, 1'000'000});
  CHECK(keeper::quota_of(1) == CpuQuota{1000, 1'000'000});
}

TEST_CASE("limits and counts are in the files of version 2") {
  const ScratchDirectory scratch;
  CgroupParent parent;
  parent.unified = fixture(scratch, "unified",
                           {{"cpu.max", ""},
                            {"memory.max", ""},
                            {"memory.swap.max", ""},
                            {"cpu.stat", "usage_usec 123456\nuser_usec 100000\nsystem_usec 23456\nnr_periods 3\n"},
                            {"memory.peak", "5242880\n"},
                            {"memory.events", "low 0\nhigh 0\nmax 9\noom 1\noom_kill 1\noom_group_kill 0\n"}});
  const auto text = [&](const char* file) { return contents_of(parent.unified + "/7.1/" + file); };
  int error = 0;
  CHECK(Cgroup(parent, kKey).make(1500, 1 << 20, error).has_value());
  CHECK(text("cpu.max").empty());  // whoever made the parent did not say that they are enforced
  parent.limits_cores = parent.limits_memory = true;
  CHECK(Cgroup(parent, kKey).make(0, 0, error).has_value());
  CHECK(text("memory.max").empty());
  CHECK(Cgroup(parent, kKey).make(1500, 1 << 20, error).has_value());
  CHECK(text("cpu.max") == "150000 100000");
  CHECK(Cgroup(parent, kKey).make(9, 0, error).has_value());
  CHECK(text("cpu.max").starts_with("max"));
  write_file(parent.unified + "/7.1/cpu.max", "");
  for (const std::uint64_t set_already : std::vector<std::uint64_t>{0, 100, 1500}) {
    CHECK(Cgroup(parent, kKey).begin_quota(set_already).has_value());
    CHECK(text("cpu.max").empty());
  }
  CHECK(Cgroup(parent, kKey).begin_quota(9).has_value());
  CHECK(text("cpu.max") == "9000 1000000");
  CHECK(text("memory.max") == "1048576");
  CHECK(text("memory.swap.max") == "0");
  CHECK(Cgroup(parent, kKey).counts() == CgroupCounts{123456, 5242880, 1});
  std::filesystem::remove(parent.unified + "/7.1/cpu.max");
  CHECK_FALSE(Cgroup(parent, kKey).make(1500, 0, error).has_value());
  CHECK(error == ENOENT);
}

TEST_CASE("limits and counts are in the files of version 1, one controller or two in a directory") {
  const ScratchDirectory scratch;
  CgroupParent parent;
  parent.cpu = fixture(scratch, "cpu,cpuacct",
                       {{"cpu.cfs_quota_us", ""}, {"cpu.cfs_period_us", ""}, {"cpuacct.usage", "1234567890\n"}});
  parent.cpuacct = parent.cpu;
  parent.memory = fixture(scratch, "memory",
                          {{"memory.limit_in_bytes", ""},
                           {"memory.max_usage_in_bytes", "4096\n"},
                           {"memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n"}});
  parent.freezer = fixture(scratch, "freezer", {{"freezer.state", "THAWED\n"}});
  parent.limits_cores = parent.limits_memory = true;
  int error = 0;
  CHECK(Cgroup(parent, kKey).make(500, 1 << 20, error).has_value());  // without memsw: a kernel that counts no swap
  CHECK(contents_of(parent.cpu + "/7.1/cpu.cfs_quota_us") == "50000");
  CHECK(contents_of(parent.cpu + "/7.1/cpu.cfs_period_us") == "100000");
  CHECK(Cgroup(parent, kKey).make(9, 0, error).has_value());
  CHECK(contents_of(parent.cpu + "/7.1/cpu.cfs_quota_us").starts_with("-1"));
  CHECK(contents_of(parent.cpu + "/7.1/cpu.cfs_period_us") == "1000000");
  CHECK(Cgroup(parent, kKey).begin_quota(9).has_value());
  CHECK(contents_of(parent.cpu + "/7.1/cpu.cfs_quota_us").starts_with("9000"));
  CHECK(contents_of(parent.memory + "/7.1/memory.limit_in_bytes") == "1048576");
  write_file(parent.memory + "/7.1/memory.memsw.limit_in_bytes", "");
  CHECK(Cgroup(parent, kKey).make(500, 1 << 20, error).has_value());
  CHECK(contents_of(parent.memory + "/7.1/memory.memsw.limit_in_bytes") == "1048576");
  CHECK(Cgroup(parent, kKey).counts() == CgroupCounts{1234567, 4096, 4});
  CHECK_FALSE(Cgroup(parent, kKey).is_frozen());
  CHECK(keeper::attempts_below(parent) == std::vector<AttemptKey>{kKey});
}

TEST_CASE("a cgroup that cannot be made leaves nothing and says why") {
  const ScratchDirectory scratch;
  CgroupParent parent;
  parent.freezer = scratch / "freezer";
  parent.cpu = scratch / "absent/cpu";
  std::filesystem::create_directories(parent.freezer);
  int error = 0;
  const auto made = Cgroup(parent, kKey).make(0, 0, error);
  REQUIRE_FALSE(made.has_value());
  CHECK(error == ENOENT);
  CHECK(made.error().message.find("absent/cpu/7.1") != std::string::npos);
  CHECK(keeper::attempts_below(parent).empty());
  CHECK_FALSE(keeper::make_parent(parent).has_value());
}

TEST_CASE("a limit that cannot be set is said, and its cgroup goes") {
  struct Row {
    bool is_unified;
    std::uint64_t millicores;
    std::uint64_t memory_bytes;
    std::string file;
  };
  for (const auto& row : std::vector<Row>{{true, 500, 0, "cpu.max"},
                                          {true, 0, 4096, "memory.max"},
                                          {false, 500, 0, "cpu.cfs_period_us"},
                                          {false, 0, 4096, "memory.limit_in_bytes"}}) {
    CAPTURE(row.file);
    const ScratchDirectory scratch;
    CgroupParent parent;
    (row.is_unified ? parent.unified : parent.freezer) = scratch / "one";
    if (!row.is_unified) parent.cpu = parent.memory = scratch / "other";
    parent.limits_cores = parent.limits_memory = true;
    for (const std::string name : {"one", "other"}) std::filesystem::create_directory(scratch / name);
    int error = 0;
    const auto made = Cgroup(parent, kKey).make(row.millicores, row.memory_bytes, error);
    REQUIRE_FALSE(made.has_value());
    CHECK(error == ENOENT);
    CHECK(made.error().message.find("/7.1/" + row.file) != std::string::npos);
    CHECK(keeper::attempts_below(parent).empty());
    CHECK(Cgroup(parent, kKey).make(0, 0, error).has_value());
  }
}

TEST_CASE("cgroups below an attempt's own belong to it") {
  for (const char* version : {"1", "2"}) {
    CAPTURE(version);
    Node node({.cgroup = test_cgroup(version)});
    if (node.cgroup().empty()) continue;
    REQUIRE(node.connect());
    auto request = node.shell(1,
                              "mkdir \"$GROUP/deep\" && echo $$ > \"$GROUP/deep/cgroup.procs\"; "
                              "(setsid env -i sh -c 'echo $$ > pid; exec sleep 1000' &); sleep 1000");
    request.key.attempt = Attempt{12};
    const auto& parent = node.cgroup().unified.empty() ? node.cgroup().freezer : node.cgroup().unified;
    const auto own = parent + "/" + to_string(request.key.task) + ".12";
    request.environment.push_back("GROUP=" + own);
    node.start(request);
    const pid_t pid = node.wait_for_pid("pid");
    CHECK(contents_of("/proc/" + std::to_string(pid) + "/cgroup").find("/deep\n") != std::string::npos);
    CHECK(keeper::attempts_around(pid) == std::vector<AttemptKey>{request.key});
    CHECK(Cgroup(node.cgroup(), request.key).holds(pid));
    const auto inside = Cgroup(node.cgroup(), request.key).processes();
    CHECK(std::count(inside.begin(), inside.end(), pid) == 1);
    CHECK_FALSE(Cgroup(node.cgroup(), node.key(2)).holds(pid));
    CHECK_FALSE(Cgroup(node.cgroup(), node.key(1)).holds(pid));  // whose name is the beginning of its own
    REQUIRE(node.port().signal(request.key, TaskSignal::terminate, std::chrono::milliseconds{0}).has_value());
    CHECK(node.wait_for_end(1).outcome.kind == OutcomeKind::signaled);
    CHECK(is_gone(pid));
    CHECK_FALSE(exists(own));
  }
}
