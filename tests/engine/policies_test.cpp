// Policies of a run with real commands: retries, limits, halting, places, the world of a command, what it leaves
// behind.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "engine/plans.hpp"
#include "hakuriver/run_sweep.hpp"
#include "support/scratch_directory.hpp"

using namespace hakuriver;
using hakuriver::test::contents_of;
using hakuriver::test::NamedScript;
using hakuriver::test::ScratchDirectory;
using std::chrono::milliseconds;

namespace {

struct Ended {
  std::uint64_t index;
  std::uint32_t attempt;
  EndVerdict verdict;
  bool timed_out;
};

struct Ran {
  RunSummary summary;
  std::vector<Ended> ends;
  std::string out;
};

Ran run(const Plan& plan, RunOptions options) {
  Ran ran;
  RunEvents events;
  events.ended = [&ran](const RunEnd& end) {
    ran.ends.push_back({end.index, end.attempt, end.verdict, end.timed_out});
  };
  events.output = [&ran](const RunOutput& output) { ran.out += output.bytes; };
  options.capture = true;
  const auto summary = run_sweep(plan, options, events);
  REQUIRE(summary);
  ran.summary = *summary;
  return ran;
}

bool is_running(pid_t pid) {
  const auto stat = contents_of("/proc/" + std::to_string(pid) + "/stat");
  const auto after_name = stat.rfind(')');
  return after_name != std::string::npos && stat[after_name + 2] != 'Z';
}

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

}  // namespace

TEST_CASE("no command starts too far ahead of the first that has not ended") {
  const ScratchDirectory scratch;
  const std::string file = scratch / "go";
  const NamedScript plan("test $1 != 0 || until test -e " + file + "; do sleep 0.01; done", 9);
  RunOptions options;
  options.jobs = 3;
  options.most_ahead = 4;
  bool first_has_ended = false;
  std::set<std::uint64_t> before;
  RunEvents events;
  events.started = [&](const RunStart& start) {
    if (!first_has_ended) before.insert(start.index);
  };
  events.ended = [&](const RunEnd& end) {
    first_has_ended = first_has_ended || end.index == 0;
    if (end.index == 3) std::ofstream{file};
  };
  const auto summary = run_sweep(plan, options, events);
  REQUIRE(summary);
  CHECK(summary->succeeded == 9);
  CHECK(before == std::set<std::uint64_t>{0, 1, 2, 3});
  options.most_ahead = 0;
  CHECK_FALSE(run_sweep(plan, options, events));
}

TEST_CASE("a command that fails is tried again and knows which attempt it is") {
  RunOptions options;
  options.retries = 2;
  options.backoff = milliseconds{1};
  const auto ran = run(NamedScript("echo $1 $HAKURUN_ATTEMPT; test $1 = 0 || test $HAKURUN_ATTEMPT = 2", 2), options);
  CHECK(ran.out == "0 1\n1 1\n1 2\n");
  REQUIRE(ran.ends.size() == 3);
  CHECK(ran.ends[1].verdict == EndVerdict::retry);
  CHECK(ran.ends[2].verdict == EndVerdict::succeeded);
  CHECK(ran.summary.attempts == 3);
  CHECK(ran.summary.failed == 0);
}

TEST_CASE("a command at its time limit is terminated, and killed where that does not help") {
  RunOptions options;
  options.jobs = 3;
  options.time_limit.most = milliseconds{150};
  options.term_grace = milliseconds{100};
  const auto ran =
      run(NamedScript("case $1 in 0) ;; 1) exec sleep 1000;; *) trap '' TERM; while :; do sleep 0.02; done;; esac", 3),
          options);
  REQUIRE(ran.ends.size() == 3);
  for (const auto& end : ran.ends) {
    CHECK(end.timed_out == (end.index != 0));
    CHECK(end.verdict == (end.index == 0 ? EndVerdict::succeeded : EndVerdict::failed));
  }
  CHECK(ran.ends.back().index == 2);
  CHECK(ran.summary.timed_out == 2);
}

TEST_CASE("a failure halts a run, soon or now") {
  for (const auto when : {HaltPolicy::When::soon, HaltPolicy::When::now}) {
    RunOptions options;
    options.jobs = 2;
    options.halt.when = when;
    // The second fails while the first waits for it.
    const ScratchDirectory scratch;
    const std::string failed = scratch / "failed";
    const std::string wait = when == HaltPolicy::When::soon
                                 ? "while [ ! -e " + failed + " ]; do sleep 0.01; done; sleep 0.05"
                                 : "exec sleep 1000";
    const auto ran =
        run(NamedScript("case $1 in 0) " + wait + ";; *) touch " + failed + "; exit 1;; esac", 100), options);
    CHECK(ran.summary.halted);
    CHECK(ran.summary.failed == 1);
    CHECK(ran.summary.not_started == 98);
    CHECK(ran.summary.succeeded == (when == HaltPolicy::When::soon ? 1 : 0));
    CHECK(ran.summary.stopped == (when == HaltPolicy::When::now ? 1 : 0));
  }
}

TEST_CASE("a selection runs in its order, and commands know their number in the whole plan") {
  RunOptions options;
  options.selection.from = 3;
  options.selection.limit = 2;
  const auto ran = run(NamedScript("echo $1 $HAKURUN_INDEX/$HAKURUN_TOTAL $HAKURUN_NAME $HAKURUN_PARAM_n", 9), options);
  CHECK(ran.out == "2 3/9 n=2 2\n3 4/9 n=3 3\n");
  CHECK(ran.summary.total == 2);
}

TEST_CASE("slots are numbered from 1, each is had by one command at a time, and brings its variables") {
  const ScratchDirectory scratch;
  RunOptions options;
  options.jobs = 3;
  options.children.slot_environment = {{"DEVICE=a"}, {"DEVICE=b"}, {"DEVICE=c"}};
  options.children.environment = {"DEVICE=none"};
  const std::string slot = scratch / "$HAKURUN_SLOT";
  const auto ran = run(
      NamedScript("mkdir " + slot + " && sleep 0.02 && rmdir " + slot + " && echo $HAKURUN_SLOT $DEVICE", 20), options);
  CHECK(ran.summary.succeeded == 20);
  const auto lines = lines_of(ran.out);
  const std::set<std::string> seen(lines.begin(), lines.end());
  CHECK(seen == std::set<std::string>{"1 a", "2 b", "3 c"});
}

TEST_CASE("a command's place is put where its words want it") {
  Command command;
  command.argv = {"echo", "gpu{%}", "{%}"};
  command.slot_places = {{1, 3}};
  CHECK(run(hakuriver::test::CommandList({command}), {}).out == "gpu1 {%}\n");
}

TEST_CASE("directory, environment and niceness are those asked for, and a run inside of a run has its own variables") {
  const ScratchDirectory scratch;
  RunOptions options;
  options.children.working_directory = scratch.path();
  options.children.environment = {"A=1", "HAKURUN_NAME=wrong"};
  options.children.nice = 3;
  const auto ran = run(NamedScript("pwd; echo $A $HAKURUN_NAME; nice; env | grep -c ^HAKURUN_NAME=", 1), options);
  const int nice_now = ::getpriority(PRIO_PROCESS, 0);
  CHECK(ran.out == scratch.path() + "\n1 n=0\n" + std::to_string(std::min(19, nice_now + 3)) + "\n1\n");
}

TEST_CASE("only the first command reads what it is given") {
  const ScratchDirectory scratch;
  const std::string path = scratch.write("input", "text\n");
  RunOptions options;
  options.children.first_stdin = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const auto ran = run(NamedScript("echo $1; cat", 3), options);
  ::close(options.children.first_stdin);
  CHECK(ran.out == "0\ntext\n1\n2\n");
}

TEST_CASE("starts keep the delay") {
  RunOptions options;
  options.jobs = 10;
  options.delay = milliseconds{30};
  const auto ran = run(NamedScript("true", 4), options);
  CHECK(ran.summary.elapsed >= milliseconds{90});
}

TEST_CASE("options that cannot be right are refused before anything starts") {
  std::vector<RunOptions> wrong(9);
  wrong[0].jobs = 0;
  wrong[1].resume = true;
  wrong[2].retry_failed = true;
  wrong[3].halt.failures = 0;
  wrong[4].halt.percent = 101;
  wrong[5].delay = milliseconds{-1};
  wrong[6].children.environment = {"=x"};
  wrong[7].children.first_stdin = 1;
  wrong[8].joblog = "x";
  wrong[8].resume = wrong[8].retry_failed = true;
  for (const auto& options : wrong) {
    const auto result = run_sweep(NamedScript("true", 1), options);
    REQUIRE_FALSE(result);
    CHECK(result.error().code == Errc::invalid_argument);
  }
}

TEST_CASE("what a command leaves behind is ended with it, whatever group or session it fled to") {
  const ScratchDirectory scratch;
  const std::string pids = scratch / "pids";
  // In the group; in a session of its own; the same, deaf to TERM and twice removed; without an environment.
  const std::string script = "sleep 1000 & echo $! >> " + pids + "\n" + "setsid sh -c 'echo $$ >> " + pids +
                             "; exec sleep 1000' &\n" + "setsid sh -c '(trap \"\" TERM; sh -c \"echo \\$\\$ >> " +
                             pids + "; while :; do sleep 0.05; done\") & ' &\n" +
                             "setsid env -i /bin/sh -c 'echo $$ >> " + pids + "; exec /bin/sleep 1000' &\n" +
                             "while [ $(wc -l < " + pids + ") -lt 4 ]; do sleep 0.01; done";
  RunOptions options;
  options.adopt_orphans = true;
  const auto ran = run(NamedScript(script, 1), options);
  CHECK(ran.summary.succeeded == 1);
  const auto lines = lines_of(contents_of(pids));
  CHECK(lines.size() == 4);
  for (const auto& line : lines) CHECK_FALSE(is_running(std::stoi(line)));
}

TEST_CASE("what a command has detached lives as long as the command, and goes while others run") {
  const ScratchDirectory scratch;
  const std::string pid = scratch / "pid";
  // The first detaches a process, finds it alive after others have ended, and ends; the last one finds it gone.
  const std::string first = "(setsid sh -c 'echo $$ > " + pid + "; exec sleep 1000' &); while [ ! -e " +
                            (scratch / "2") + " ]; do sleep 0.01; done; kill -0 $(cat " + pid + ") && echo alive";
  const std::string last = "while kill -0 $(cat " + pid + ") 2>/dev/null; do sleep 0.01; done; echo gone";
  RunOptions options;
  options.jobs = 2;
  options.adopt_orphans = true;
  const auto ran = run(NamedScript("case $1 in 0) " + first + ";; 3) " + last + ";; *) while [ ! -s " + pid +
                                       " ]; do sleep 0.01; done; touch " + scratch.path() + "/$1;; esac",
                                   4),
                       options);
  CHECK(ran.out == "alive\ngone\n");
}

TEST_CASE("a run that is stopped leaves nothing behind, not even what fled to a session of its own") {
  const ScratchDirectory scratch;
  const std::string pid = scratch / "pid";
  auto control = RunControl::make();
  RunOptions options;
  options.capture = true;
  options.adopt_orphans = true;
  options.control = &*control;
  RunEvents events;
  events.output = [&control](const RunOutput&) { control->terminate(); };
  const std::string script = "(setsid sh -c 'echo $$ > " + pid + "; exec sleep 1000' &); while [ ! -s " + pid +
                             " ]; do sleep 0.01; done; echo ready; exec sleep 1000";
  const auto summary = run_sweep(NamedScript(script, 3), options, events);
  REQUIRE(summary);
  CHECK(summary->stopped == 1);
  CHECK_FALSE(is_running(std::stoi(contents_of(pid))));
}
