// Launching programs that tell of the start, and the cgroups of units that somebody else made.
#include <doctest/doctest.h>
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keeper/cgroup.hpp"
#include "keeper/node.hpp"
#include "keeper/unit_cgroup.hpp"

using namespace hakuriver;
using namespace hakuriver::test;
using namespace std::chrono_literals;

namespace {

constexpr const char* kUnit = "hakuriver-task-17.scope";

StartRequest reporting(const Node& node, std::uint64_t number, const std::string& script) {
  auto request = node.shell(number, script);
  request.reports_start = true;
  return request;
}

// A unit's directories in version "1" or "2", made and removed by this test.
struct MadeUnit {
  explicit MadeUnit(const char* version) : parent(test_cgroup(version)) {
    for (const auto* path : {&parent.unified, &parent.freezer, &parent.cpuacct, &parent.memory}) {
      if (path->empty()) continue;
      directories.push_back(*path + "/" + kUnit);
      ::mkdir(directories.back().c_str(), 0755);
    }
  }
  ~MadeUnit() {
    for (const auto& directory : directories) CHECK(::rmdir(directory.c_str()) == 0);
    keeper::remove_parent(parent);
  }
  explicit operator bool() const { return !parent.empty(); }
  // A launching program's script: into the unit, told, and then the command, its next word, in place.
  std::string enter() const {
    std::string script;
    for (const auto& directory : directories) script += "echo $$ > " + directory + "/cgroup.procs; ";
    return script + "cat /proc/self/cgroup >&3; exec 3>&-; exec sh -c \"$0\"";
  }
  CgroupParent parent;
  std::vector<std::string> directories;
};

StartRequest in_unit(const Node& node, std::uint64_t number, const MadeUnit& unit, const std::string& command) {
  auto request = reporting(node, number, "");
  request.argv = {"/bin/sh", "-c", unit.enter(), command};
  request.unit = kUnit;
  request.cgroup = {};
  return request;
}

}  // namespace

TEST_CASE("what a launching program tells of the start is what the attempt becomes") {
  struct Row {
    const char* script;
    Outcome outcome;
    const char* message;
    bool is_started;
  };
  Node node;
  REQUIRE(node.connect());
  std::uint64_t number = 0;
  for (const auto& row : std::vector<Row>{
           {"echo 0::/ >&3; exec 3>&-; exit 3", {OutcomeKind::exited, 3}, "", true},
           {"echo >&3; exec 3>&-; exit 4", {OutcomeKind::exited, 4}, "", true},
           {"echo 0::/ >&3; exec 3>&-; kill -9 $$", {OutcomeKind::signaled, 9}, "", true},
           {"printf '\\0002 no such command\\n' >&3; exit 1", {OutcomeKind::exited, 127}, "no such command", false},
           {"echo 0::/ >&3; printf '\\00013 may not' >&3; exit 1", {OutcomeKind::exited, 126}, "may not", false},
           {"printf '\\00012 no memory' >&3; exit 1", {OutcomeKind::never_started, ENOMEM}, "no memory", false},
           {"printf '\\000' >&3", {OutcomeKind::never_started, EIO}, "", false},
           {"echo 'Failed to start unit' >&2; echo more >&2; exit 1",
            {OutcomeKind::never_started, EIO},
            "Failed to start unit",
            false},
           {"exit 0", {OutcomeKind::never_started, EIO}, "its launching program ended without a word", false},
           {"head -c 20000 /dev/zero | tr '\\0' x >&3; exit 5", {OutcomeKind::exited, 5}, "", true},
       }) {
    CAPTURE(row.script);
    auto request = reporting(node, ++number, row.script);
    request.cgroup = {};
    const auto ended = node.run(request);
    CHECK(ended.outcome == row.outcome);
    CHECK(ended.message == row.message);
    CHECK(node.started.contains(number) == row.is_started);
  }
  // One that goes into a unit itself is the first that its limit of memory meets.
  for (const auto& [bytes, outcome] : std::vector<std::pair<std::uint64_t, Outcome>>{
           {64 * 1024, {OutcomeKind::oom_killed, SIGKILL}}, {1 << 30, {OutcomeKind::never_started, EIO}}}) {
    auto small = reporting(node, ++number, "kill -9 $$");
    small.cgroup = {};
    small.memory_bytes = bytes;
    CHECK(node.run(small).outcome == outcome);
  }
  // What a user put in the place of its standard error says nothing, and holds nobody up.
  const auto secret = node.out_directory() + "/secret";
  write_file(secret, "of somebody else\n");
  for (const std::string& put : {"ln -s " + secret, std::string("mkfifo")}) {
    CAPTURE(put);
    auto request = reporting(node, ++number, "");
    request.argv[2] = "rm " + request.stderr_path + "; " + put + " " + request.stderr_path + "; exit 1";
    request.cgroup = {};
    const auto ended = node.run(request);
    CHECK(ended.outcome == Outcome{OutcomeKind::never_started, EIO});
    CHECK(ended.message == "its launching program ended without a word");
  }
  // Asked to end while it was being launched: it ended for that.
  auto request = reporting(node, ++number, "echo $$ > launching; sleep 1000");
  node.start(request);
  node.wait_for_pid("launching");
  CHECK_FALSE(node.started.contains(number));
  REQUIRE(node.port().signal(node.key(number), TaskSignal::terminate, 10s).has_value());
  CHECK(node.wait_for_end(number).outcome == Outcome{OutcomeKind::signaled, SIGTERM});
}

TEST_CASE("a unit's directories are found by its name in the hierarchies that are mounted") {
  const char* mounts =
      "25 20 0:22 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
      "26 20 0:23 / /sys/fs/cgroup/cpu,cpuacct rw shared:3 - cgroup cgroup rw,cpu,cpuacct\n"
      "27 20 0:24 /inner /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
      "28 20 0:25 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
  const auto found = keeper::find_unit_cgroup(
      "5:memory:/system.slice/a.scope\n4:cpu,cpuacct:/\n3:name=systemd:/inner/system.slice/a.scope\n"
      "2:freezer:/b.scope\n0::/system.slice/a.scope\n",
      mounts, "a.scope");
  CHECK(found.unified == "/sys/fs/cgroup/unified/system.slice/a.scope");
  CHECK(found.memory == "/sys/fs/cgroup/memory/system.slice/a.scope");
  CHECK(found.named == "/sys/fs/cgroup/systemd/system.slice/a.scope");
  CHECK(found.cpuacct.empty());
  CHECK(found.freezer.empty());
  CHECK(keeper::find_unit_cgroup("0::/system.slice/a.scope\n", mounts, "other.scope").empty());
  CHECK(keeper::find_unit_cgroup("0::/x-a.scope\n", mounts, "a.scope").empty());
}

TEST_CASE("a unit that somebody else made is what is paused, ended and counted, also by the next keeper") {
  for (const char* version : {"1", "2"}) {
    for (const bool is_taken_up : {false, true}) {
      CAPTURE(version);
      CAPTURE(is_taken_up);
      const MadeUnit unit(version);
      if (!unit) continue;
      Node node;
      REQUIRE(node.connect());
      node.start(in_unit(node, 1, unit,
                         "(setsid env -i sh -c 'trap \"\" TERM; echo $$ > far; while :; do :; done' &)\n"
                         "while ! test -s far; do sleep 0.01; done; echo $$ > near; sleep 1000"));
      const pid_t far = node.wait_for_pid("far");
      const pid_t near = node.wait_for_pid("near");
      REQUIRE(node.wait([&] { return node.started.contains(1); }));
      CHECK(node.started[1].pid == near);
      const keeper::Cgroup group(keeper::find_unit_cgroup(contents_of("/proc/" + std::to_string(far) + "/cgroup"),
                                                          contents_of("/proc/self/mountinfo"), kUnit));
      REQUIRE(group.holds(far));
      REQUIRE(node.port().signal(node.key(1), TaskSignal::pause, 0ms).has_value());
      REQUIRE(node.wait([&] { return node.changed.size() == 1; }));
      CHECK(group.is_frozen());
      if (is_taken_up) {
        node.kill_keeper();
        REQUIRE(node.connect());
        CHECK(node.started.at(1).state == KeptState::paused);
      }
      REQUIRE(node.port().signal(node.key(1), TaskSignal::terminate, 50ms).has_value());
      const auto ended = node.wait_for_end(1);
      CHECK(ended.outcome.kind == (is_taken_up ? OutcomeKind::unknown : OutcomeKind::signaled));
      CHECK(is_gone(far));
      CHECK(group.processes().empty());
      if (std::string(version) == "1") CHECK(ended.usage.cpu_microseconds > 0);
    }
  }
}

TEST_CASE("what a unit's main process leaves behind is ended, and memory that ran out there is told") {
  const MadeUnit unit("1");
  if (!unit) return;
  Node node;
  REQUIRE(node.connect());
  const auto left = node.run(in_unit(node, 1, unit, "(setsid env -i sleep 1000 &); exit 7"));
  CHECK(left.outcome == Outcome{OutcomeKind::exited, 7});
  CHECK(left.message.find("left behind") != std::string::npos);
  const auto limit = unit.parent.memory + "/" + kUnit + "/memory.limit_in_bytes";
  write_file(limit, "33554432");
  const auto starved = node.run(in_unit(node, 2, unit, "exec tail /dev/zero"));
  CHECK(starved.outcome == Outcome{OutcomeKind::oom_killed, SIGKILL});
}
