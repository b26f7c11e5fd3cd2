#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <vector>

#include "support/scratch_directory.hpp"

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

  Asked ask(const std::string& verb) const {
    const std::string output = scratch_.path() + "/output";
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
    return {error == 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1, contents_of(output)};
  }

 private:
  std::string systemctl() const { return scratch_.path() + "/systemctl"; }

  ScratchDirectory scratch_;
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
  }
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
