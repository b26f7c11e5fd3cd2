#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "engine/plans.hpp"
#include "hakuriver/run_sweep.hpp"

using namespace hakuriver;
using hakuriver::test::CommandList;
using hakuriver::test::Script;

namespace {

Command command(Argv argv) {
  Command made;
  made.argv = std::move(argv);
  return made;
}

class TempDirectory {
 public:
  TempDirectory() {
    char name[] = "/tmp/hakuriver-engine.XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~TempDirectory() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }
  std::string file(const std::string& name, const std::string& text, mode_t mode = 0644) const {
    const std::string made = path_ + "/" + name;
    std::ofstream(made) << text;
    ::chmod(made.c_str(), mode);
    return made;
  }

 private:
  std::string path_;
};

// What is kept of an end.
struct End {
  std::uint64_t index;
  Outcome outcome;
  Usage usage;
  std::string message;
};

// A run that remembers everything.
struct Record {
  std::vector<std::uint64_t> started;
  std::vector<End> ends;
  std::map<std::uint64_t, std::string> out;
  std::map<std::uint64_t, std::string> err;
  std::size_t running = 0;
  std::size_t most_running = 0;
  RunSummary summary;

  RunEvents events() {
    RunEvents made;
    made.started = [this](const RunStart& start) {
      started.push_back(start.index);
      most_running = std::max(most_running, ++running);
    };
    made.output = [this](const RunOutput& output) {
      (output.stream == OutputStream::out ? out : err)[output.index] += output.bytes;
    };
    made.ended = [this](const RunEnd& end) {
      if (end.message.empty()) --running;
      ends.push_back({end.index, end.outcome, end.usage, end.message});
    };
    return made;
  }

  void run(const Plan& plan, const RunOptions& options, const RunEvents& given) {
    const auto result = run_sweep(plan, options, given);
    CHECK(result);
    if (result) summary = *result;
  }
};

RunOptions captured(std::uint32_t jobs = 1) {
  RunOptions options;
  options.jobs = jobs;
  options.capture = true;
  return options;
}

Record run(const Plan& plan, const RunOptions& options) {
  Record record;
  record.run(plan, options, record.events());
  return record;
}

bool is_running(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string text((std::istreambuf_iterator<char>(stat)), {});
  const auto after_name = text.rfind(')');
  return after_name != std::string::npos && text[after_name + 2] != 'Z';
}

std::size_t count_descriptors() {
  const auto entries = std::filesystem::directory_iterator("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

}  // namespace

TEST_CASE("commands one at a time run in order, and their output and end are told") {
  const auto record = run(Script("echo out$1; echo err$1 >&2; exit $1", 3), captured());
  CHECK(record.started == std::vector<std::uint64_t>{0, 1, 2});
  REQUIRE(record.ends.size() == 3);
  CHECK(record.most_running == 1);
  for (std::uint64_t i = 0; i < 3; ++i) {
    CHECK(record.ends[i].index == i);
    CHECK(record.ends[i].outcome == Outcome{OutcomeKind::exited, static_cast<int>(i)});
    CHECK(record.ends[i].usage.max_rss_bytes > 0);
    CHECK(record.out.at(i) == "out" + std::to_string(i) + "\n");
    CHECK(record.err.at(i) == "err" + std::to_string(i) + "\n");
  }
}

TEST_CASE("as many run at once as asked for, and no more") {
  const TempDirectory directory;
  // Each waits until three are there, so that the run ends only if three are allowed at once.
  const std::string script = "mkdir " + directory.path() + "/$1; [ $1 -ge 3 ] && exit; while [ $(ls " +
                             directory.path() + " | wc -l) -lt 3 ]; do sleep 0.01; done";
  const auto record = run(Script(script, 12), captured(3));
  CHECK(record.ends.size() == 12);
  CHECK(record.most_running == 3);
}

TEST_CASE("a signal, and output of any size, are told as they were") {
  const auto record = run(Script("head -c 3000000 /dev/zero; kill -KILL $$", 2), captured(2));
  for (const auto& end : record.ends) {
    CHECK(end.outcome == Outcome{OutcomeKind::signaled, SIGKILL});
    CHECK(record.out.at(end.index).size() == 3'000'000);
  }
}

TEST_CASE("a command ends with its process, and what it leaves behind may go on writing while the run lasts") {
  const TempDirectory directory;
  const std::string wait_for = "while [ ! -e " + directory.path() + "/$0 ]; do sleep 0.01; done; ";
  const std::string left =
      "sh -c '" + wait_for + "echo late; echo late >&2; touch " + directory.path() + "/done' go & ";
  const std::string second = "touch " + directory.path() + "/go; sh -c '" + wait_for + "' done";
  const auto record = run(Script("case $1 in 0) " + left + "echo first;; 1) " + second + ";; esac", 2), captured());
  REQUIRE(record.ends.size() == 2);
  CHECK(record.ends[0].outcome == Outcome{OutcomeKind::exited, 0});
  CHECK(record.out.at(0) == "first\nlate\n");
  CHECK(record.err.at(0) == "late\n");
}

TEST_CASE("outputs that are held open for ever are given up before they use up what the run needs") {
  const TempDirectory directory;
  const std::string script = "while [ -e " + directory.path() + " ]; do sleep 0.1; done & true";
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  rlimit low = before;
  low.rlim_cur = count_descriptors() + 20;
  auto options = captured(2);
  ::setrlimit(RLIMIT_NOFILE, &low);
  const auto record = run(Script(script, 20), options);
  ::setrlimit(RLIMIT_NOFILE, &before);
  CHECK(record.ends.size() == 20);
  for (const auto& end : record.ends) CHECK(end.outcome == Outcome{OutcomeKind::exited, 0});
}

TEST_CASE("a command that cannot start says why, and the others run") {
  const TempDirectory directory;
  const std::string no_mode = directory.file("no_mode", "#!/bin/sh\n");
  const std::string no_line = directory.file("no_line", "echo x\n", 0755);
  const std::string no_interpreter = directory.file("no_interpreter", "#!/no/such/interpreter\n", 0755);
  struct Row {
    Argv argv;
    int status;
    std::string says;
  };
  const std::vector<Row> rows = {
      {{"no-such-command-anywhere"}, 127, "'no-such-command-anywhere': command not found"},
      {{directory.path() + "/absent"}, 127, "no such file"},
      {{no_mode}, 126, "not executable"},
      {{directory.path()}, 126, "a directory"},
      {{no_line}, 126, "'#!'"},
      {{no_interpreter}, 127, "interpreter"},
      {{""}, 127, "not found"},
      {{}, 127, "not found"},
      {{"true", std::string(300'000, 'x')}, 126, "Argument list too long"},
  };
  std::vector<Command> commands;
  for (const auto& row : rows) commands.push_back(command(row.argv));
  commands.push_back(command({"true"}));
  const auto record = run(CommandList(commands), captured(4));
  REQUIRE(record.ends.size() == rows.size() + 1);
  for (const auto& end : record.ends) {
    if (end.index == rows.size()) {
      CHECK(end.outcome == Outcome{OutcomeKind::exited, 0});
      continue;
    }
    const Row& row = rows[static_cast<std::size_t>(end.index)];
    CAPTURE(end.message);
    CHECK(end.outcome == Outcome{OutcomeKind::exited, row.status});
    CHECK(end.message.find(row.says) != std::string::npos);
  }
}

TEST_CASE("a command's own directory and environment are used, and stronger than the defaults") {
  const TempDirectory directory;
  auto options = captured();
  options.children.environment = {"PATH=/usr/bin:/bin", "A=1", "B=2"};
  Command changed = command({"sh", "-c", "echo $A $B $C; pwd"});
  changed.environment = {"B=3", "C=4"};
  changed.working_directory = directory.path();
  Command plain = command({"sh", "-c", "echo $A $B $C"});
  Command lost = plain;
  lost.working_directory = directory.path() + "/absent";
  const auto record = run(CommandList({plain, changed, plain, lost}), options);
  CHECK(record.out.at(0) == "1 2\n");
  CHECK(record.out.at(1) == "1 3 4\n" + directory.path() + "\n");
  CHECK(record.out.at(2) == "1 2\n");
  CHECK(record.ends[3].outcome.kind == OutcomeKind::never_started);
  CHECK(record.ends[3].message.find("cannot enter") != std::string::npos);
}

TEST_CASE("a command leads its own process group, reads nothing, and inherits no descriptor of ours") {
  const auto record =
      run(CommandList({command({"sh", "-c", "echo $$ $(ps -o pgid= $$); cat"}), command({"ls", "/proc/self/fd"})}),
          captured());
  const std::string& out = record.out.at(0);
  const auto blank = out.find(' ');
  CHECK(std::stoi(out.substr(0, blank)) == std::stoi(out.substr(blank)));
  CHECK(out.find('\n') == out.size() - 1);
  std::istringstream descriptors(record.out.at(1));
  int ours = 0;
  for (int number = 0; descriptors >> number;) {
    const int flags = ::fcntl(number, F_GETFD);
    const bool handed_to_us = number > 2 && flags >= 0 && (flags & FD_CLOEXEC) == 0;
    if (number > 2 && !handed_to_us) ++ours;
  }
  CHECK(ours == 1);  // the directory that ls reads
}

TEST_CASE("handlers, the mask and ignored signals of the caller do not reach a command wrongly") {
  struct sigaction handled {};
  struct sigaction before {};
  handled.sa_handler = [](int) {};
  ::sigaction(SIGUSR1, &handled, &before);
  auto options = captured();
  options.children.unblocked_signals = {SIGUSR1};
  sigset_t blocked;
  sigset_t mask_before;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGUSR1);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &mask_before);
  const auto record = run(CommandList({command({"cat", "/proc/self/status"})}), options);
  sigset_t mask_after;
  ::pthread_sigmask(SIG_SETMASK, &mask_before, &mask_after);
  ::sigaction(SIGUSR1, &before, nullptr);
  CHECK(record.out.at(0).find("SigBlk:\t0000000000000000\n") != std::string::npos);
  CHECK(record.out.at(0).find("SigCgt:\t0000000000000000\n") != std::string::npos);
  CHECK(::sigismember(&mask_after, SIGUSR1) == 1);
}

TEST_CASE("terminate stops a run with all that the commands have started") {
  Record record;
  std::vector<pid_t> pids;
  auto control = RunControl::make();
  RunEvents events = record.events();
  events.output = [&](const RunOutput& output) {
    std::string& out = record.out[output.index] += output.bytes;
    if (out.back() != '\n') return;
    pids.push_back(std::stoi(out));
    if (pids.size() == 3) control->terminate();
  };
  auto options = captured(3);
  options.control = &*control;
  record.run(Script("sleep 1000 & echo $!; wait", 100), options, events);
  CHECK(record.started.size() == 3);
  CHECK(record.running == 0);
  CHECK(record.summary.not_started == 97);
  CHECK(record.summary.stopped == 3);
  CHECK(record.summary.interrupted);
  REQUIRE(record.ends.size() == 3);
  for (const auto& end : record.ends) CHECK(end.outcome == Outcome{OutcomeKind::signaled, SIGTERM});
  for (const pid_t pid : pids) CHECK(!is_running(pid));
}

TEST_CASE("kill ends what does not listen to terminate") {
  Record record;
  auto control = RunControl::make();
  RunEvents events = record.events();
  int answers = 0;
  events.output = [&](const RunOutput&) {
    if (++answers == 1) control->terminate();
    if (answers == 2) control->kill();
  };
  auto options = captured(1);
  options.control = &*control;
  record.run(Script("trap 'echo no' TERM; echo ready; while :; do sleep 0.05; done", 5), options, events);
  REQUIRE(record.ends.size() == 1);
  CHECK(record.ends[0].outcome == Outcome{OutcomeKind::signaled, SIGKILL});
}

TEST_CASE("a descendant that outlives its leader's TERM has time to finish") {
  const TempDirectory directory;
  Record record;
  auto control = RunControl::make();
  RunEvents events = record.events();
  events.output = [&](const RunOutput&) { control->terminate(); };
  const std::string script = "sh -c 'trap \"sleep 0.2; echo saved > " + directory.path() +
                             "/saved; exit\" TERM; echo ready; while :; do sleep 0.02; done' & wait";
  auto options = captured(1);
  options.control = &*control;
  record.run(Script(script, 1), options, events);
  CHECK(std::filesystem::exists(directory.path() + "/saved"));
}

TEST_CASE("another thread stops a run, even one whose commands all fail to start") {
  class Endless : public Plan {
   public:
    std::uint64_t size() const override { return std::numeric_limits<std::uint64_t>::max(); }
    Command at(std::uint64_t) const override { return command({"/no/such/program"}); }
  };
  auto control = RunControl::make();
  auto options = captured(2);
  options.control = &*control;
  std::thread other([&control] { control->terminate(); });
  const auto summary = run_sweep(Endless(), options);
  other.join();
  REQUIRE(summary);
  CHECK(summary->interrupted);
}

TEST_CASE("a watched descriptor is told of while commands run") {
  const int wish = ::eventfd(1, EFD_CLOEXEC);
  auto control = RunControl::make();
  auto options = captured();
  options.control = &*control;
  options.watched_fd = wish;
  RunEvents events;
  events.watched = [&] { control->kill(); };
  const auto summary = run_sweep(CommandList({command({"sleep", "1000"})}), options, events);
  ::close(wish);
  REQUIRE(summary);
  CHECK(summary->stopped + summary->not_started == 1);
}

TEST_CASE("where descriptors run out, the run waits for its own commands and goes on") {
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  rlimit low = before;
  low.rlim_cur = count_descriptors() + 12;
  auto options = captured(50);
  ::setrlimit(RLIMIT_NOFILE, &low);
  const auto record = run(Script("ulimit -n; sleep 0.02", 60), options);
  ::setrlimit(RLIMIT_NOFILE, &before);
  CHECK(record.ends.size() == 60);
  CHECK(record.most_running < 50);
  for (const auto& end : record.ends) {
    CHECK(end.outcome == Outcome{OutcomeKind::exited, 0});
    CAPTURE(end.index);
    CHECK(record.out.count(end.index) == 1);
  }
}

TEST_CASE("a run leaves no descriptor and no process behind") {
  const auto before = count_descriptors();
  run(Script("echo $1", 200), captured(8));
  CHECK(count_descriptors() == before);
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
}

TEST_CASE("output that is not captured goes to the descriptors given") {
  const TempDirectory directory;
  const std::string path = directory.file("out", "");
  auto options = captured();
  options.capture = false;
  options.stdout_fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  options.stderr_fd = options.stdout_fd;
  const int opened = options.stdout_fd;
  run(Script("echo out$1; echo err$1 >&2", 2), options);
  ::close(opened);
  std::ifstream file(path);
  CHECK(std::string((std::istreambuf_iterator<char>(file)), {}) == "out0\nerr0\nout1\nerr1\n");
}
