// What a cgroup enforces, and what it tells. On real ones of version 1, whose controllers the machine has; what is said
// of limits in version 2 is in cgroup_test.cpp.
#include <doctest/doctest.h>
#include <signal.h>

#include "keeper/cgroup.hpp"
#include "keeper/node.hpp"

using namespace hakuriver;
using namespace hakuriver::test;
using namespace std::chrono_literals;
using keeper::Cgroup;

namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr const char* kBusy = "sh -c 'while :; do :; done' & sh -c 'while :; do :; done' & echo $$ > ready; wait";

struct CgroupNode : Node {
  explicit CgroupNode(const char* crash = nullptr)
      : Node({.keeper_program = crash == nullptr ? "" : HAKURIVER_TEST_CRASHING_KEEPER, .cgroup = test_cgroup("1")}) {
    if (!cgroup().empty()) REQUIRE((crash == nullptr ? connect() : connect_to_die_at(crash)).has_value());
  }
  explicit operator bool() const { return !cgroup().empty(); }

  StartRequest limited(std::uint64_t number, const std::string& script, std::uint64_t millicores,
                       std::uint64_t memory_bytes) {
    auto made = shell(number, script);
    made.millicores = millicores;
    made.memory_bytes = memory_bytes;
    return made;
  }
  std::string file(const std::string& controller, std::uint64_t number, const char* name) const {
    return controller + "/" + to_string(key(number).task) + ".1/" + name;
  }
};

}  // namespace

TEST_CASE("cores are a quota that really throttles") {
  CgroupNode node;
  if (!node) return;
  node.start(node.limited(1, kBusy, 200, 0));
  node.wait_for_pid("ready");
  const auto stat = node.file(node.cgroup().cpu, 1, "cpu.stat");
  CHECK(eventually([&] { return keeper::value_of(contents_of(stat), "nr_throttled").value_or(0) >= 8; }));
  REQUIRE(node.port().signal(node.key(1), TaskSignal::terminate, 0ms).has_value());
  const auto ended = node.wait_for_end(1);
  // A fifth of one CPU, and what one period may overdraw on each CPU.
  CHECK(static_cast<std::int64_t>(ended.usage.cpu_microseconds) <= ended.ended_after.count() / 5 + 100'000);
  CHECK(ended.usage.cpu_microseconds > 0);
  node.start(node.limited(2, "sleep 1000", 0, 0));
  REQUIRE(node.wait([&] { return node.started.contains(2); }));
  CHECK(contents_of(node.file(node.cgroup().cpu, 2, "cpu.cfs_quota_us")) == "-1\n");
}

TEST_CASE("a quota that is too small to start with begins with the program, and also where the keeper dies before") {
  CgroupNode node("spawned:1");
  if (!node) return;
  node.start(node.limited(1, "sleep 1000", 1, 0));
  REQUIRE(node.wait([&] { return !node.gone.empty(); }));
  const auto quota = [&](std::uint64_t number) {
    return contents_of(node.file(node.cgroup().cpu, number, "cpu.cfs_quota_us"));
  };
  CHECK(quota(1) == "-1\n");
  REQUIRE(node.connect());
  CHECK(quota(1) == "1000\n");
  node.start(node.limited(2, "sleep 1000", 20, 0));
  REQUIRE(node.wait([&] { return node.started.contains(2); }));
  CHECK(quota(2) == "2000\n");
}

TEST_CASE("memory is a limit that really caps, and running out of it is told as such") {
  CgroupNode node;
  if (!node) return;
  const auto ended = node.run(node.limited(1, "exec tail /dev/zero", 0, 48 * kMiB));
  CHECK(ended.outcome == Outcome{OutcomeKind::oom_killed, SIGKILL});
  CHECK(ended.message == "out of memory: the kernel killed 1 process at the limit of 50331648 bytes");
  CHECK(ended.usage.max_rss_bytes <= 48 * kMiB);
  CHECK(ended.usage.max_rss_bytes >= 40 * kMiB);
  CHECK_FALSE(ended.by_request);
  const auto least = node.run(node.limited(3, "exec tail /dev/zero", 0, 512));
  CHECK(least.outcome == Outcome{OutcomeKind::oom_killed, SIGKILL});
  CHECK(least.message == "out of memory: the kernel killed 1 process at the limit of 1048576 bytes");
  // What fits is not touched.
  const auto fits = node.run(node.limited(2, "head -c 20000000 /dev/zero | tail | wc -c", 0, 48 * kMiB));
  CHECK(fits.outcome == Outcome{OutcomeKind::exited, 0});
  CHECK(fits.message.empty());
  CHECK(fits.usage.max_rss_bytes >= 19 * kMiB);
  CHECK(node.output(2) == "20000000\n");
}

TEST_CASE("the kernel's count tells who ran out of memory, not the exit status") {
  struct Row {
    const char* script;
    std::uint64_t memory_bytes;
    Outcome outcome;
    const char* message;  // a part of it
  };
  CgroupNode node;
  if (!node) return;
  std::uint64_t number = 0;
  for (const auto& row : std::vector<Row>{
           {"tail /dev/zero; exit 5", 16 * kMiB, {OutcomeKind::oom_killed, 9}, "its main process exited with 5"},
           {"tail /dev/zero; exit 0",
            16 * kMiB,
            {OutcomeKind::exited, 0},
            "out of memory: the kernel killed 1 process"},
           {"kill -9 $$", 16 * kMiB, {OutcomeKind::signaled, 9}, ""},
           {"exit 137", 16 * kMiB, {OutcomeKind::exited, 137}, ""},
       }) {
    CAPTURE(row.script);
    const auto ended = node.run(node.limited(++number, row.script, 0, row.memory_bytes));
    CHECK(ended.outcome == row.outcome);
    CHECK(ended.message.find(row.message) != std::string::npos);
    CHECK(ended.message.empty() == (*row.message == '\0'));
  }
  // It was asked to end: that it ran out of memory before is only mentioned.
  node.start(node.limited(++number, "tail /dev/zero; echo $$ > starved; sleep 1000", 0, 16 * kMiB));
  node.wait_for_pid("starved");
  REQUIRE(node.port().signal(node.key(number), TaskSignal::terminate, 5s).has_value());
  const auto asked = node.wait_for_end(number);
  CHECK(asked.outcome == Outcome{OutcomeKind::signaled, SIGTERM});
  CHECK(asked.message.find("out of memory") != std::string::npos);
}

TEST_CASE("CPU time is that of the whole tree, waited for or not") {
  CgroupNode node;
  if (!node) return;
  const auto ended = node.run(node.shell(
      1,
      "(setsid env -i sh -c 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; times > burnt; echo $$ > done' &)\n"
      "while ! test -s done; do sleep 0.02; done"));
  CHECK(ended.outcome == Outcome{OutcomeKind::exited, 0});
  double seconds = 0;
  REQUIRE(std::sscanf(contents_of(node.out_directory() + "/burnt").c_str(), "%*fm%lfs", &seconds) == 1);
  CHECK(static_cast<double>(ended.usage.cpu_microseconds) >= seconds * 1e6 * 0.9);
  CHECK(ended.usage.max_rss_bytes > 0);
}

TEST_CASE("a paused cgroup uses no CPU time, and its processes do not see it") {
  for (const char* version : {"1", "2"}) {
    CAPTURE(version);
    Node node({.cgroup = test_cgroup(version)});
    if (node.cgroup().empty()) continue;
    REQUIRE(node.connect());
    node.start(node.shell(1, kBusy));
    node.start(node.shell(2, "true"));
    node.wait_for_pid("ready");
    const Cgroup group(node.cgroup(), node.key(1));
    REQUIRE(eventually([&] { return group.counts().cpu_microseconds > 20'000; }));
    REQUIRE(node.port().signal(node.key(1), TaskSignal::pause, 0ms).has_value());
    REQUIRE(node.wait([&] { return node.changed.size() == 1; }));
    CHECK(node.changed[0].state == KeptState::paused);
    CHECK(group.is_frozen());
    const auto before = group.counts().cpu_microseconds;
    // Others have time to run.
    node.run(node.shell(3, "i=0; while [ $i -lt 50000 ]; do i=$((i+1)); done"));
    CHECK(group.counts().cpu_microseconds == before);
    for (const pid_t pid : group.processes()) CHECK(process_state(pid) != 'T');
    // Another keeper finds it paused.
    node.kill_keeper();
    REQUIRE(node.connect());
    CHECK(node.started.at(1).state == KeptState::paused);
    CHECK(group.counts().cpu_microseconds == before);
    REQUIRE(node.port().signal(node.key(1), TaskSignal::resume, 0ms).has_value());
    REQUIRE(node.wait([&] { return node.changed.size() == 1; }));
    CHECK(node.changed[0].state == KeptState::running);
    CHECK(eventually([&] { return group.counts().cpu_microseconds > before; }));
    REQUIRE(node.port().signal(node.key(1), TaskSignal::pause, 0ms).has_value());
    REQUIRE(node.port().signal(node.key(1), TaskSignal::terminate, 0ms).has_value());
    node.wait_for_end(1);
    CHECK_FALSE(group.is_frozen());
  }
}

TEST_CASE("a daemon that hides beside other tasks is its own task's") {
  for (const char* version : {"1", "2"}) {
    CAPTURE(version);
    Node node({.cgroup = test_cgroup(version)});
    if (node.cgroup().empty()) continue;
    REQUIRE(node.connect());
    const std::string daemon = "(setsid env -i sh -c 'trap \"\" TERM; echo $$ > pid.N; while :; do sleep 1; done' &)\n";
    for (std::uint64_t number = 1; number <= 3; ++number) {
      auto script = daemon;
      script.replace(script.find('N'), 1, std::to_string(number));
      if (number == 3) script += "while ! test -s pid.3; do sleep 0.01; done; exit 7\n";
      node.start(node.shell(number, script + "sleep 1000"));
    }
    std::vector<pid_t> pids;
    for (const char* name : {"pid.1", "pid.2", "pid.3"}) pids.push_back(node.wait_for_pid(name));
    const auto left = node.wait_for_end(3);
    CHECK(left.outcome == Outcome{OutcomeKind::exited, 7});
    CHECK(left.message.find("left behind") != std::string::npos);
    CHECK(is_gone(pids[2]));
    REQUIRE(node.port().signal(node.key(2), TaskSignal::terminate, 0ms).has_value());
    CHECK(node.wait_for_end(2).outcome.kind == OutcomeKind::signaled);
    CHECK(is_gone(pids[1]));
    CHECK_FALSE(is_gone(pids[0]));
  }
}

TEST_CASE("an adopted attempt's cgroup is ended, counted and removed with it") {
  CgroupNode node;
  if (!node) return;
  node.start(node.limited(1,
                          "(setsid env -i sh -c 'echo $$ > far; exec sleep 1000' &); tail /dev/zero; echo $$ > ready; "
                          "sleep 1000",
                          1000, 16 * kMiB));
  const pid_t far = node.wait_for_pid("far");
  node.wait_for_pid("ready");
  node.lose_agent();
  REQUIRE(node.connect());
  node.kill_keeper();
  REQUIRE(node.connect());
  CHECK_FALSE(is_gone(far));
  REQUIRE(node.port().signal(node.key(1), TaskSignal::terminate, 200ms).has_value());
  const auto ended = node.wait_for_end(1);
  CHECK(ended.outcome.kind == OutcomeKind::unknown);
  CHECK(ended.message.find("out of memory") != std::string::npos);
  CHECK(ended.usage.cpu_microseconds > 0);
  CHECK(ended.usage.max_rss_bytes >= 14 * kMiB);
  CHECK(is_gone(far));
  CHECK(keeper::attempts_below(node.cgroup()).empty());
}

TEST_CASE("what a keeper without a journal finds empty is removed, and what lives is left") {
  CgroupNode node;
  if (!node) return;
  int error = 0;
  CHECK(Cgroup(node.cgroup(), node.key(98)).make(0, 0, error).has_value());
  REQUIRE(node.run(node.shell(1, "true")).outcome == Outcome{OutcomeKind::exited, 0});
  CHECK(keeper::attempts_below(node.cgroup()).empty());
}

TEST_CASE("two hundred tasks at once have their cgroups, and leave none") {
  CgroupNode node;
  if (!node) return;
  constexpr std::uint64_t kTasks = 200;
  for (std::uint64_t number = 1; number <= kTasks; ++number) {
    node.start(node.limited(number, number % 2 == 0 ? "sleep 1000" : "exit 3", 500, 64 * kMiB));
  }
  REQUIRE(node.wait([&] { return node.started.size() == kTasks && node.ended.size() >= kTasks / 2; }));
  CHECK(keeper::attempts_below(node.cgroup()).size() == kTasks / 2);
  for (std::uint64_t number = 2; number <= kTasks; number += 2) {
    REQUIRE(node.port().signal(node.key(number), TaskSignal::terminate, 0ms).has_value());
  }
  REQUIRE(node.wait([&] { return node.ended.size() == kTasks; }));
  CHECK(keeper::attempts_below(node.cgroup()).empty());
  for (const auto& [task, ended] : node.ended) {
    const auto number = task;
    CAPTURE(number);
    CHECK(ended.outcome.kind == (number % 2 == 0 ? OutcomeKind::signaled : OutcomeKind::exited));
  }
}
