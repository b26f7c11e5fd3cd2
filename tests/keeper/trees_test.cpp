#include <doctest/doctest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keeper/node.hpp"

using namespace hakuriver;
using namespace hakuriver::test;
using namespace std::chrono_literals;

namespace {

struct Tree {
  const char* name;
  const char* script;  // writes the id of a process that must die into $OUT/pid, atomically by one echo
};

const std::vector<Tree> kTrees = {
    {"a child", "sleep 1000 & echo $! > pid; wait"},
    {"a command under timeout", "timeout 1000 sh -c 'echo $$ > pid; sleep 1000; true'"},
    {"a double fork", "(sh -c 'echo $$ > pid; exec sleep 1000' &) ; sleep 1000"},
    {"a daemon in its own session", "setsid sh -c 'echo $$ > pid; exec sleep 1000' & sleep 1000"},
    {"a daemon in its own session with another parent",
     "(setsid sh -c 'echo $$ > pid; exec sleep 1000' &); sleep 1000"},
    {"a daemon that hides its environment", "(setsid env -i sh -c 'echo $$ > pid; exec sleep 1000' &); sleep 1000"},
    {"a job of a shell with job control", "set -m; sleep 1000 & echo $! > pid; wait"},
    {"a tree that ignores TERM",
     "trap '' TERM; sh -c 'trap \"\" TERM; echo $$ > pid; while :; do sleep 1; done' & wait; sleep 1000"},
};

// CPU time in clock ticks.
long cpu_ticks(pid_t pid) {
  const auto stat = contents_of("/proc/" + std::to_string(pid) + "/stat");
  long user = 0;
  long system = 0;
  std::sscanf(stat.c_str() + stat.rfind(')') + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld", &user,
              &system);
  return user + system;
}

}  // namespace

TEST_CASE("an attempt that is asked to end takes its whole tree with it") {
  Node node;
  REQUIRE(node.connect());
  std::uint64_t number = 0;
  for (const auto& tree : kTrees) {
    CAPTURE(tree.name);
    ::unlink((node.out_directory() + "/pid").c_str());
    node.start(node.shell(++number, tree.script));
    const pid_t pid = node.wait_for_pid("pid");
    REQUIRE_FALSE(is_gone(pid));
    REQUIRE(node.port().signal(node.key(number), TaskSignal::terminate, 200ms).has_value());
    const auto ended = node.wait_for_end(number);
    CHECK(ended.outcome.kind == OutcomeKind::signaled);
    CHECK(ended.by_request);
    CHECK(ended.message.empty());
    CHECK(is_gone(pid));
    CHECK(is_gone(static_cast<pid_t>(ended.pid)));
  }
}

TEST_CASE("what outlives the main process is ended before the end is told") {
  Node node;
  REQUIRE(node.connect());
  const std::vector<Tree> leftovers = {
      {"a child", "sleep 1000 & echo $! > pid; exit 7"},
      {"a daemon", "setsid sh -c 'echo $$ > pid; exec sleep 1000' & while ! test -s pid; do :; done; exit 7"},
      {"a daemon that hides its environment",
       "(setsid env -i sh -c 'echo $$ > pid; exec sleep 1000' &); while ! test -s pid; do :; done; exit 7"},
      {"a job of its own group", "set -m; sleep 1000 & echo $! > pid; exit 7"},
      {"one that ignores TERM",
       "sh -c 'trap \"\" TERM; echo $$ > pid; while :; do sleep 1; done' & while ! test -s pid; do :; done; exit 7"},
      {"a stopped one", "sleep 1000 & kill -STOP $!; echo $! > pid; exit 7"},
  };
  std::uint64_t number = 0;
  for (const auto& tree : leftovers) {
    CAPTURE(tree.name);
    ::unlink((node.out_directory() + "/pid").c_str());
    const auto ended = node.run(node.shell(++number, tree.script));
    const pid_t pid = node.wait_for_pid("pid");
    CHECK(ended.outcome == Outcome{OutcomeKind::exited, 7});
    CHECK_FALSE(ended.by_request);
    CHECK(ended.message.find("left behind") != std::string::npos);
    CHECK(is_gone(pid));
  }
}

TEST_CASE("children that ended before their parent leave nothing to tell") {
  Node node;
  REQUIRE(node.connect());
  const auto ended = node.run(node.shell(1, "true & (true &) ; setsid true; wait; ls / | cat > /dev/null; exit 2"));
  CHECK(ended.outcome == Outcome{OutcomeKind::exited, 2});
}

TEST_CASE("tasks beside the one that is ended go on, their daemons too") {
  Node node;
  REQUIRE(node.connect());
  const std::string daemon = "(setsid sh -c 'echo $$ > pid.N; exec sleep 1000' &); sleep 1000";
  for (std::uint64_t number = 1; number <= 3; ++number) {
    auto script = daemon;
    script.replace(script.find('N'), 1, std::to_string(number));
    node.start(node.shell(number, script));
  }
  std::vector<pid_t> pids;
  for (const char* name : {"pid.1", "pid.2", "pid.3"}) pids.push_back(node.wait_for_pid(name));
  REQUIRE(node.port().signal(node.key(2), TaskSignal::terminate, 5s).has_value());
  node.wait_for_end(2);
  node.run(node.shell(4, "true"));
  CHECK(is_gone(pids[1]));
  CHECK_FALSE(is_gone(pids[0]));
  CHECK_FALSE(is_gone(pids[2]));
  CHECK(node.ended.size() == 2);
}

TEST_CASE("TERM gives a task its grace, and KILL ends it after that") {
  Node node;
  REQUIRE(node.connect());
  node.start(node.shell(1, "trap 'echo cleaned; exit 0' TERM; echo $$ > ready; while :; do sleep 0.01; done"));
  node.wait_for_pid("ready");
  REQUIRE(node.port().signal(node.key(1), TaskSignal::terminate, 20s).has_value());
  const auto polite = node.wait_for_end(1);
  CHECK(polite.outcome == Outcome{OutcomeKind::exited, 0});
  CHECK(polite.by_request);
  CHECK(node.output(1) == "cleaned\n");
  node.start(node.shell(2, "trap '' TERM; echo $$ > ready2; while :; do sleep 0.01; done"));
  node.wait_for_pid("ready2");
  REQUIRE(node.port().signal(node.key(2), TaskSignal::terminate, 1h).has_value());
  REQUIRE(node.port().signal(node.key(2), TaskSignal::terminate, 0ms).has_value());  // a shorter grace counts
  CHECK(node.wait_for_end(2).outcome == Outcome{OutcomeKind::signaled, SIGKILL});
}

TEST_CASE("a start and its end in one breath leave nothing") {
  Node node;
  REQUIRE(node.connect());
  for (std::uint64_t number = 1; number <= 40; ++number) {
    node.start(node.shell(number, "sleep 1000"));
    REQUIRE(node.port().signal(node.key(number), TaskSignal::terminate, 0ms).has_value());
  }
  for (std::uint64_t number = 1; number <= 40; ++number) {
    CHECK(node.wait_for_end(number).by_request);
    CHECK(is_gone(static_cast<pid_t>(node.ended[number].pid)));
  }
  // What is not known, or has ended, is not there to be asked.
  REQUIRE(node.port().signal(node.key(1), TaskSignal::terminate, 0ms).has_value());
  REQUIRE(node.port().signal(node.key(99), TaskSignal::pause, 0ms).has_value());
  node.run(node.shell(41, "true"));
  CHECK(node.ended.size() == 41);
}

TEST_CASE("a paused tree stands still until it is resumed") {
  Node node;
  REQUIRE(node.connect());
  node.start(node.shell(
      1, "(setsid sh -c 'echo $$ > far; while :; do :; done' &); sh -c 'echo $$ > near; while :; do :; done' & wait"));
  const pid_t far = node.wait_for_pid("far");
  const pid_t near = node.wait_for_pid("near");
  REQUIRE(node.port().signal(node.key(1), TaskSignal::pause, 0ms).has_value());
  REQUIRE(node.wait([&] { return node.changed.size() == 1; }));
  CHECK(node.changed[0].state == KeptState::paused);
  REQUIRE(eventually([&] { return node.is_stopped(far) && node.is_stopped(near); }));
  const long far_before = cpu_ticks(far);
  const long near_before = cpu_ticks(near);
  node.run(node.shell(2, "i=0; while [ $i -lt 50000 ]; do i=$((i+1)); done"));  // others have time to run
  CHECK(cpu_ticks(far) == far_before);
  CHECK(cpu_ticks(near) == near_before);
  REQUIRE(node.port().signal(node.key(1), TaskSignal::resume, 0ms).has_value());
  REQUIRE(node.wait([&] { return node.changed.size() == 2; }));
  CHECK(node.changed[1].state == KeptState::running);
  CHECK(eventually([&] { return cpu_ticks(far) > far_before && cpu_ticks(near) > near_before; }));
}

TEST_CASE("a paused task can be ended") {
  Node node;
  REQUIRE(node.connect());
  node.start(node.shell(1, "trap 'echo heard; exit 5' TERM; echo $$ > ready; while :; do sleep 0.01; done"));
  node.wait_for_pid("ready");
  REQUIRE(node.port().signal(node.key(1), TaskSignal::pause, 0ms).has_value());
  REQUIRE(node.wait([&] { return node.changed.size() == 1; }));
  REQUIRE(node.port().signal(node.key(1), TaskSignal::terminate, 20s).has_value());
  CHECK(node.wait_for_end(1).outcome == Outcome{OutcomeKind::exited, 5});
  CHECK(node.output(1) == "heard\n");
}

TEST_CASE("a process whose first thread has gone is still a process") {
  Node node;
  REQUIRE(node.connect());
  if (!exists("/usr/bin/python3")) {
    MESSAGE("skipped: no python3");
    return;
  }
  const char* program =
      "import ctypes, os, threading, time\n"
      "threading.Thread(target=lambda: time.sleep(1000)).start()\n"
      "open('pid', 'w').write('%d\\n' % os.getpid())\n"
      "ctypes.CDLL(None).pthread_exit(None)\n";
  node.start(node.request(1, {"/usr/bin/python3", "-c", program}));
  const pid_t pid = node.wait_for_pid("pid");
  REQUIRE(eventually([&] { return process_state(pid) == 'Z'; }));
  REQUIRE(node.port().signal(node.key(1), TaskSignal::terminate, 100ms).has_value());
  CHECK(node.wait_for_end(1).outcome.kind == OutcomeKind::signaled);
}

TEST_CASE("a tree that forks as fast as it can is caught") {
  Node node;
  REQUIRE(node.connect());
  // Each generation leaves the family of the one before. A keeper under the thread sanitizer is ten times as slow, and
  // gets a tree that is slower too.
#if defined(__SANITIZE_THREAD__)
  const std::string pace = "sleep 0.02\n";
#else
  const std::string pace;
#endif
  write_file(node.out_directory() + "/run", "#!/bin/sh\ntest -e stop && exit\n" + pace + "(setsid ./run &)\n");
  ::chmod((node.out_directory() + "/run").c_str(), 0755);
  node.start(node.shell(1, "./run; echo $$ > ready; sleep 1000"));
  node.wait_for_pid("ready");
  REQUIRE(node.port().signal(node.key(1), TaskSignal::terminate, 0ms).has_value());
  const auto caught = node.wait([&] { return node.ended.contains(1); });
  write_file(node.out_directory() + "/stop", "");
  CHECK(caught);
  CHECK(node.wait_for_end(1).outcome.kind == OutcomeKind::signaled);
}
