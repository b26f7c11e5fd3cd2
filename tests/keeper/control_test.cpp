// Attempts whose processes are a launcher's: here those of a script, which drives a process that has left its family.
#include <doctest/doctest.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cstdlib>

#include "keeper/control_words.hpp"
#include "keeper/node.hpp"

using namespace hakuriver;
using namespace hakuriver::test;
using namespace std::chrono_literals;

namespace {

// What runs things here is no child of the keeper, as systemd and Docker are none. It starts what it finds in `order`,
// and writes down how that ended. It goes when its directory does.
constexpr const char* kManager = R"sh(#!/bin/sh
cd "$1" || exit 9
while test -d "$1"; do
  if test -e order; then
    mv order taken
    setsid sh -c "$(cat taken)" > /dev/null 2>&1 &
    echo $! > thing.new; mv thing.new thing
    wait $!; code=$?
    if test $code -gt 128; then echo "signaled $((code - 128))"; else echo "exited $code"; fi > status.new
    mv status.new status
  fi
  sleep 0.01
done
)sh";

// `launcher DIRECTORY run SCRIPT`, and the verbs.
constexpr const char* kLauncher = R"sh(#!/bin/sh
cd "$1" || exit 9
echo "$2" >> verbs
test -e "broken.$2" && exit 1
test -e "hanging.$2" && exec sleep 1000
signal() { test -s thing || return 1; kill -s "$1" -- "-$(cat thing)" 2>/dev/null || test -s status; }
case "$2" in
run)
  printf %s "$3" > order.new; mv order.new order
  echo $$ > client
  while ! test -s status; do sleep 0.02; done
  exit 0 ;;
pause) signal STOP ;;
resume) signal CONT ;;
terminate) signal TERM && signal CONT ;;
kill) signal KILL ;;
finish)
  signal KILL && while ! test -s status; do sleep 0.01; done
  echo cpu_microseconds 1234; echo peak_bytes 5678
  test -e starved && echo oom_killed 9 && exit 0
  test -s status && cat status ;;
esac
)sh";

struct Launched : Node {
  explicit Launched(const char* program = "") : Node({.keeper_program = program, .cgroup = {}}) {
    write_file(launcher(), kLauncher);
    ::chmod(launcher().c_str(), 0755);
    write_file(out_directory() + "/manager", kManager);
    const auto command =
        "/bin/sh " + out_directory() + "/manager " + out_directory() + " < /dev/null > /dev/null 2>&1 &";
    REQUIRE(std::system(command.c_str()) == 0);
  }
  std::string launcher() const { return out_directory() + "/launcher"; }
  StartRequest launch(std::uint64_t number, const std::string& script) const {
    auto made = request(number, {launcher(), out_directory(), "run", script});
    made.control = {launcher(), out_directory()};
    return made;
  }
  std::string verbs() const { return contents_of(out_directory() + "/verbs"); }
  void clear() const {
    for (const char* name : {"/verbs", "/thing", "/status", "/client"}) ::unlink((out_directory() + name).c_str());
  }
};

// What a test's thing is known by.
pid_t thing_of(Launched& node) { return node.wait_for_pid("thing"); }

}  // namespace

TEST_CASE("what a launcher says when it has finished is read line by line, and nonsense is passed over") {
  using keeper::parse_finish;
  CHECK(parse_finish("").outcome == std::nullopt);
  CHECK(parse_finish("exited 3\n").outcome == Outcome{OutcomeKind::exited, 3});
  CHECK(parse_finish("unknown\nmessage why\n").outcome == Outcome{OutcomeKind::unknown, 0});
  CHECK(parse_finish("signaled 15").outcome == Outcome{OutcomeKind::signaled, 15});
  CHECK(parse_finish("oom_killed 9\n").outcome == Outcome{OutcomeKind::oom_killed, 9});
  const auto never = parse_finish("never_started 12 no such image\n");
  CHECK(never.outcome == Outcome{OutcomeKind::never_started, 12});
  CHECK(never.message == "no such image");
  for (const char* wrong :
       {"exited", "exited x", "exited 256", "exited -1", "exited 3 4", "exitedx 3", "signaled 128"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_finish(wrong).outcome.has_value());
  }
  const auto all = parse_finish("hello\ncpu_microseconds 12\nexited 0\npeak_bytes 34\n");
  CHECK(all.outcome == Outcome{OutcomeKind::exited, 0});
  CHECK(all.cpu_microseconds == 12u);
  CHECK(all.peak_bytes == 34u);
}

TEST_CASE("an attempt that a launcher runs ends with what the launcher says, and only when that has finished") {
  Launched node;
  REQUIRE(node.connect());
  write_file(node.out_directory() + "/broken.finish", "");
  node.start(node.launch(1, "exit 5"));
  REQUIRE(node.wait([&] { return node.verbs().starts_with("run\nfinish\n"); }));
  CHECK_FALSE(node.ended.contains(1));
  ::unlink((node.out_directory() + "/broken.finish").c_str());
  const auto ended = node.wait_for_end(1);
  CHECK(ended.outcome == Outcome{OutcomeKind::exited, 5});
  CHECK(ended.usage == Usage{1234, 5678});
  CHECK(ended.message.empty());
}

TEST_CASE("a command that was not executed did not end as its launcher says") {
  Launched node;
  REQUIRE(node.connect());
  write_file(node.out_directory() + "/status", "exited 0\n");
  auto request = node.launch(1, "");
  request.argv = {"/bin/sh", "-c", "printf '\\0002 no such command\\n' >&3; exit 1"};
  request.reports_start = true;
  const auto ended = node.run(request);
  CHECK(ended.outcome == Outcome{OutcomeKind::exited, 127});
  CHECK(ended.message == "no such command");
  CHECK(node.verbs() == "finish\n");
}

TEST_CASE("a launcher pauses and resumes, and it is told only when it has") {
  Launched node;
  REQUIRE(node.connect());
  node.start(node.launch(1, "exec sleep 1000"));
  const pid_t thing = thing_of(node);
  REQUIRE(node.port().signal(node.key(1), TaskSignal::pause, 0ms).has_value());
  REQUIRE(node.wait([&] { return node.changed.size() == 1; }));
  CHECK(node.changed[0].state == KeptState::paused);
  CHECK(eventually([&] { return process_state(thing) == 'T'; }));
  // The next keeper finds it paused.
  node.kill_keeper();
  REQUIRE(node.connect());
  CHECK(node.started.at(1).state == KeptState::paused);
  write_file(node.out_directory() + "/broken.resume", "");
  REQUIRE(node.port().signal(node.key(1), TaskSignal::resume, 0ms).has_value());
  REQUIRE(node.wait([&] { return node.verbs().ends_with("resume\n"); }));
  ::unlink((node.out_directory() + "/broken.resume").c_str());
  REQUIRE(node.port().signal(node.key(1), TaskSignal::resume, 0ms).has_value());
  REQUIRE(node.wait([&] { return !node.changed.empty(); }));
  CHECK(node.changed.size() == 1);
  CHECK(node.changed[0].state == KeptState::running);
  CHECK(eventually([&] { return process_state(thing) == 'S'; }));
  REQUIRE(node.port().signal(node.key(1), TaskSignal::terminate, 10s).has_value());
  CHECK(node.wait_for_end(1).by_request);
  CHECK(is_gone(thing));
}

TEST_CASE("a launcher ends what it runs, gently and then not") {
  Launched node;
  REQUIRE(node.connect());
  node.start(node.launch(1, "trap 'exit 6' TERM; echo $$ > ready; while :; do sleep 0.01; done"));
  node.wait_for_pid("ready");
  thing_of(node);
  REQUIRE(node.port().signal(node.key(1), TaskSignal::terminate, 30s).has_value());
  CHECK(node.wait_for_end(1).by_request);
  CHECK(node.verbs() == "run\nterminate\nfinish\n");
  node.clear();
  node.start(node.launch(2, "trap '' TERM; echo $$ > ready2; while :; do sleep 0.01; done"));
  node.wait_for_pid("ready2");
  thing_of(node);
  REQUIRE(node.port().signal(node.key(2), TaskSignal::terminate, 200ms).has_value());
  const auto killed = node.wait_for_end(2);
  CHECK(killed.by_request);
  CHECK(killed.outcome == Outcome{OutcomeKind::signaled, SIGKILL});
  CHECK(node.verbs().starts_with("run\nterminate\nkill\n"));
  // And at a time limit.
  node.clear();
  auto limited = node.launch(3, "sleep 1000");
  limited.time_limit = 1s;
  limited.time_limit_grace = 200ms;
  const auto ended = node.run(limited);
  CHECK(ended.outcome == Outcome{OutcomeKind::timed_out, 0});
  CHECK(node.verbs().find("terminate\n") != std::string::npos);
}

TEST_CASE("a launcher that could not ask for the end is told to ask again") {
  Launched node;
  REQUIRE(node.connect());
  const std::string broken = node.out_directory() + "/broken.terminate";
  write_file(broken, "");
  node.start(node.launch(1, "sleep 1000"));
  thing_of(node);
  REQUIRE(node.port().signal(node.key(1), TaskSignal::terminate, 1h).has_value());
  REQUIRE(node.wait([&] { return node.verbs().find("terminate\n") != std::string::npos; }));
  ::unlink(broken.c_str());
  CHECK(node.wait_for_end(1).outcome == Outcome{OutcomeKind::signaled, SIGTERM});
}

TEST_CASE("KILL does not wait for a launcher that hangs in a gentler verb") {
  constexpr auto kPatienceWithLaunchers = 30s;  // the keeper's, before it ends one of itself
  Launched node;
  REQUIRE(node.connect());
  write_file(node.out_directory() + "/hanging.terminate", "");
  node.start(node.launch(1, "sleep 1000"));
  const pid_t thing = thing_of(node);
  const auto begin = std::chrono::steady_clock::now();
  REQUIRE(node.port().signal(node.key(1), TaskSignal::terminate, 50ms).has_value());
  CHECK(node.wait_for_end(1).outcome == Outcome{OutcomeKind::signaled, SIGKILL});
  CHECK(std::chrono::steady_clock::now() - begin < kPatienceWithLaunchers);
  CHECK(is_gone(thing));
}

TEST_CASE("what is asked to end has ended for that, also where memory had run out inside before") {
  Launched node;
  REQUIRE(node.connect());
  write_file(node.out_directory() + "/starved", "");
  const auto by_itself = node.run(node.launch(1, "exit 1"));
  CHECK(by_itself.outcome == Outcome{OutcomeKind::oom_killed, SIGKILL});
  CHECK(by_itself.message == "out of memory");
  node.clear();
  node.start(node.launch(2, "echo $$ > ready; sleep 1000"));
  node.wait_for_pid("ready");
  REQUIRE(node.port().signal(node.key(2), TaskSignal::terminate, 30s).has_value());
  const auto killed = node.wait_for_end(2);
  CHECK(killed.by_request);
  CHECK(killed.outcome == Outcome{OutcomeKind::signaled, SIGKILL});
  CHECK(killed.message == "out of memory");
}

TEST_CASE("a launcher finishes what ended while no keeper was there") {
  Launched node;
  REQUIRE(node.connect());
  node.start(node.launch(1, "echo $$ > ready; while ! test -e go; do sleep 0.01; done; exit 8"));
  node.wait_for_pid("ready");
  const pid_t client = node.wait_for_pid("client");
  REQUIRE(node.wait([&] { return node.started.contains(1); }));
  node.kill_keeper();
  write_file(node.out_directory() + "/go", "");
  REQUIRE(eventually([&] { return is_gone(client); }));
  REQUIRE(node.connect());
  const auto ended = node.wait_for_end(1);
  CHECK(ended.outcome == Outcome{OutcomeKind::exited, 8});
  CHECK(ended.usage == Usage{1234, 5678});
}

TEST_CASE("a client that is killed leaves nothing of what it was the client of") {
  Launched node;
  REQUIRE(node.connect());
  node.start(node.launch(1, "sleep 1000"));
  const pid_t thing = thing_of(node);
  const pid_t client = node.wait_for_pid("client");
  ::kill(client, SIGKILL);
  CHECK(node.wait_for_end(1).outcome == Outcome{OutcomeKind::signaled, SIGKILL});
  CHECK(eventually([&] { return is_gone(thing); }));
}

TEST_CASE("how a main process ended is known to the next keeper, where the launcher knows no better") {
  for (const char* crash : {"finish:1", "finished:1"}) {
    CAPTURE(crash);
    Launched node(HAKURIVER_TEST_CRASHING_KEEPER);
    REQUIRE(node.connect_to_die_at(crash));
    auto request = node.shell(1, "exit 7");
    request.control = {"/bin/true"};
    node.start(request);
    REQUIRE(node.wait([&] { return !node.gone.empty(); }));
    CHECK_FALSE(node.ended.contains(1));
    REQUIRE(node.connect());
    const auto ended = node.wait_for_end(1);
    CHECK(ended.outcome == Outcome{OutcomeKind::exited, 7});
    CHECK(ended.message.empty());
  }
}

TEST_CASE("a keeper that dies at any step of a launcher's finishes it later") {
  for (const char* crash : {"spawned:1", "terminate:1", "finish:1", "finished:1"}) {
    CAPTURE(crash);
    Launched node(HAKURIVER_TEST_CRASHING_KEEPER);
    REQUIRE(node.connect_to_die_at(crash));
    node.start(node.launch(1, "trap 'exit 6' TERM; echo $$ > ready; while :; do sleep 0.01; done"));
    node.wait_for_pid("ready");
    const pid_t thing = thing_of(node);
    node.wait([&] { return node.started.contains(1) || !node.gone.empty(); });
    if (!node.gone.empty()) REQUIRE(node.connect());
    REQUIRE(node.port().signal(node.key(1), TaskSignal::terminate, 30s).has_value());
    REQUIRE(node.wait([&] { return node.ended.contains(1) || !node.gone.empty(); }));
    if (!node.gone.empty()) REQUIRE(node.connect());
    if (!node.ended.contains(1)) REQUIRE(node.port().signal(node.key(1), TaskSignal::terminate, 30s).has_value());
    const auto ended = node.wait_for_end(1);
    CHECK(ended.outcome == Outcome{OutcomeKind::exited, 6});
    CHECK(ended.by_request);
    CHECK(eventually([&] { return is_gone(thing); }));
  }
}
