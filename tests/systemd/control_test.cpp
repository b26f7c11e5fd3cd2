#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "launch/cgroup_files.hpp"
#include "support/scratch_directory.hpp"
#include "systemd/unit_processes.hpp"

using namespace hakuriver::test;

namespace {

// A systemctl that has one unit, whose properties are in a file, and writes down what it is asked for. A signal, or the
// unit's stop, changes the unit to what is in the file of that name.
constexpr const char* kSystemctl = R"sh(#!/bin/sh
cd "$(dirname "$0")" || exit 1
become() { if test -e "$1"; then mv "$1" state; fi; }
case $1 in
show) cat state ;;
kill) echo "$2" >> asked; grep -q LoadState=loaded state || exit 1; become "${2#--signal=}" ;;
*) echo "$1" >> asked; become "$1" ;;
esac
)sh";

constexpr const char* kRuns = "LoadState=loaded\nActiveState=active\nMainPID=7\nExecMainCode=0\n";
constexpr const char* kExited = "LoadState=loaded\nActiveState=active\nMainPID=0\nExecMainCode=1\nExecMainStatus=4\n";
constexpr const char* kKilled = "LoadState=loaded\nActiveState=failed\nMainPID=0\nExecMainCode=2\nExecMainStatus=9\n";
constexpr const char* kGone = "LoadState=not-found\nActiveState=inactive\nMainPID=0\n";

struct Asked {
  int code = -1;
  std::string output;
};

class OneUnit {
 public:
  explicit OneUnit(const std::string& state) {
    write("systemctl", kSystemctl);
    ::chmod((scratch_.path() + "/systemctl").c_str(), 0755);
    write("state", state);
  }

  void write(const std::string& name, const std::string& text) { std::ofstream(scratch_.path() + "/" + name) << text; }
  bool has(const std::string& name) const { return ::access((scratch_.path() + "/" + name).c_str(), F_OK) == 0; }
  std::string asked() const { return contents_of(scratch_.path() + "/asked"); }

  Asked ask(const std::string& verb) const { return ask(verb, scratch_.path() + "/output"); }
  Asked ask(const std::string& verb, const std::string& output) const {
    std::vector<std::string> words{HAKURIVER_TEST_SYSTEMD, "--unit",      "u.service", "--directory",
                                   scratch_.path(),        "--systemctl", systemctl(), verb};
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, 1, output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    pid_t pid = -1;
    const int error = ::posix_spawn(&pid, argv.front(), &actions, nullptr, argv.data(), ::environ);
    ::posix_spawn_file_actions_destroy(&actions);
    int status = -1;
    if (error == 0) ::waitpid(pid, &status, 0);
    const bool is_device = output.starts_with("/dev/");
    return {error == 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1, is_device ? "" : contents_of(output)};
  }

 private:
  std::string systemctl() const { return scratch_.path() + "/systemctl"; }

  ScratchDirectory scratch_;
};

// A cgroup such as a manager makes for a unit, below that of this test.
class UnitCgroup {
 public:
  explicit UnitCgroup(const std::string& unit) {
    const std::string own = hakuriver::launch::read_text("/proc/self/cgroup");
    std::string_view controller = "name=systemd";
    auto path = hakuriver::launch::cgroup_path(own, controller);
    if (path.empty()) path = hakuriver::launch::cgroup_path(own, controller = "");
    above_ = hakuriver::launch::cgroup_directory(path, controller) + "/hakuriver-test-" + std::to_string(::getpid());
    directory_ = above_ + "/" + unit;
    is_made_ = ::mkdir(above_.c_str(), 0755) == 0 && ::mkdir(directory_.c_str(), 0755) == 0;
  }
  ~UnitCgroup() {
    ::rmdir(directory_.c_str());
    ::rmdir(above_.c_str());
  }
  UnitCgroup(const UnitCgroup&) = delete;
  UnitCgroup& operator=(const UnitCgroup&) = delete;

  bool is_made() const { return is_made_; }

  // A process in it that stays until it is killed.
  pid_t start() const {
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      while (true) ::pause();
    }
    std::ofstream(directory_ + "/cgroup.procs") << pid;
    return pid;
  }

 private:
  std::string above_;
  std::string directory_;
  bool is_made_ = false;
};

}  // namespace

TEST_CASE("a unit that is not there yet is to be asked again to end, and not to be killed") {
  const OneUnit starting(kGone);
  CHECK(starting.ask("terminate").code == 75);
  CHECK(starting.ask("kill").code == 0);
  const OneUnit over(kKilled);
  CHECK(over.ask("terminate").code == 0);
}

TEST_CASE("a manager that says nothing has not said that a unit is gone") {
  for (const char* verb : {"terminate", "finish"}) {
    CAPTURE(verb);
    const OneUnit silent("");
    CHECK(silent.ask(verb).code == 75);
    CHECK(silent.asked().find("stop") == std::string::npos);
  }
}

TEST_CASE("what is frozen is woken, or it would not hear that it is to end") {
  const std::string frozen = std::string(kRuns) + "FreezerState=frozen\n";
  const OneUnit asked(frozen);
  CHECK(asked.ask("terminate").code == 0);
  CHECK(asked.asked() == "--signal=15\nthaw\n--signal=18\n");
  const OneUnit killed(frozen);
  CHECK(killed.ask("kill").code == 0);
  CHECK(killed.asked() == "--signal=9\nthaw\n");
}

TEST_CASE("an end that nobody heard is told again") {
  OneUnit unit(kExited);
  unit.write("stop", kGone);
  CHECK(unit.ask("finish", "/dev/full").code == 75);
  CHECK(unit.has("u.service.account"));
  CHECK(unit.ask("finish").output == "exited 4\ncpu_microseconds 0\n");
  CHECK_FALSE(unit.has("u.service.account"));
}

TEST_CASE("a unit that its manager gave up on is not over while a process of it is left") {
  OneUnit unit(kGone);
  const UnitCgroup cgroup("u.service");
  if (!cgroup.is_made()) {
    MESSAGE("skipped: no cgroup can be made here");
    return;
  }
  const pid_t left = cgroup.start();
  const std::string told = contents_of("/proc/" + std::to_string(left) + "/cgroup");
  unit.write("u.service.cgroup", told);
  CHECK(unit.ask("finish").code == 75);
  CHECK(unit.has("u.service.cgroup"));
  CHECK(hakuriver::systemd::has_processes(told, "u.service"));
  CHECK_FALSE(hakuriver::systemd::has_processes(told, "service"));  // which has a longer name
  REQUIRE(::kill(left, SIGKILL) == 0);
  REQUIRE(::waitpid(left, nullptr, 0) == left);
  CHECK(unit.ask("finish").code == 0);
  CHECK_FALSE(unit.has("u.service.cgroup"));
}

TEST_CASE("a service that has ended is stopped, and told") {
  OneUnit unit(kExited);
  unit.write("stop", kGone);
  const auto finished = unit.ask("finish");
  CHECK(finished.code == 0);
  CHECK(finished.output == "exited 4\ncpu_microseconds 0\n");
  CHECK(unit.asked() == "stop\n");
}

TEST_CASE("one who waited for the command knows how it ended better than the manager") {
  OneUnit unit(kKilled);
  unit.write("u.service.account", "exited 3\ncpu_microseconds 70\n");
  CHECK(unit.ask("finish").output == "exited 3\ncpu_microseconds 70\n");
  CHECK(unit.asked() == "reset-failed\n");
  CHECK_FALSE(unit.has("u.service.account"));
}

TEST_CASE("a service that nobody stands for any more is ended, gently and then not") {
  OneUnit gentle(kRuns);
  gentle.write("15", kExited);
  gentle.write("stop", kGone);
  const auto finished = gentle.ask("finish");
  CHECK(finished.code == 0);
  CHECK(finished.output ==
        "exited 4\ncpu_microseconds 0\nmessage it was ended, as the process that stood for it had gone\n");
  CHECK(gentle.asked() == "--signal=15\n--signal=18\nstop\n");
  OneUnit stubborn(kRuns);
  stubborn.write("9", kKilled);
  CHECK(stubborn.ask("finish").output.starts_with("signaled 9\n"));
}

TEST_CASE("how a service ended is kept until nothing of it is left") {
  OneUnit unit(kExited);
  unit.write("stop", "");
  CHECK(unit.ask("finish").code == 75);
  unit.write("state", kGone);
  CHECK(unit.ask("finish").output == "exited 4\ncpu_microseconds 0\n");
}

TEST_CASE("of a service that has run and left no word it is told that its end is not known") {
  OneUnit unit(kGone);
  CHECK(unit.ask("finish").output.empty());
  unit.write("u.service.cgroup", "0::/u.service\n");
  const auto finished = unit.ask("finish");
  CHECK(finished.code == 0);
  CHECK(finished.output == "unknown\nmessage how it ended is not known: its unit was taken away\n");
  CHECK_FALSE(unit.has("u.service.cgroup"));
}
