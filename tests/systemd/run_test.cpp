// What stands between the keeper and a task in a scope is given.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "support/scratch_directory.hpp"

using namespace hakuriver::test;

namespace {

std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (auto& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

// The exit code of `hakuriver-systemd run` for the unit "u.scope", whose systemd-run is a script that keeps what it was
// given; standard output and standard error are the file "out".
int run_scope(const ScratchDirectory& scratch, const std::vector<std::string>& options,
              std::vector<std::string> environment) {
  const std::string script =
      scratch.write("systemd-run", "#!/bin/sh\ncd " + scratch.path() +
                                       "\n/usr/bin/env >environment\nprintf '%s\\n' \"$@\" >words\n"
                                       "/bin/cat u.scope.spec >spec\n");
  std::filesystem::permissions(script, std::filesystem::perms::owner_all);
  std::vector<std::string> words{HAKURIVER_TEST_SYSTEMD, "--unit",   "u.scope", "--directory",
                                 scratch.path(),         "--no-bus", "--exec",  "/x",
                                 "--systemd-run",        script};
  words.insert(words.end(), options.begin(), options.end());
  words.insert(words.end(), {"run", "--", "solve", "--fast"});
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 1, (scratch / "out").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::posix_spawn_file_actions_adddup2(&actions, 1, 2);
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, words.front().c_str(), &actions, nullptr, pointers_to(words).data(),
                                  pointers_to(environment).data());
  ::posix_spawn_file_actions_destroy(&actions);
  int status = -1;
  if (error == 0) ::waitpid(pid, &status, 0);
  return error == 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

TEST_CASE("a task's variables go around the programs in between, whatever an earlier attempt left") {
  const ScratchDirectory scratch;
  scratch.write("u.scope.spec", "of an earlier attempt");
  CHECK(run_scope(scratch, {}, {"@SECRET=x y", "@PATH=/task", "OTHER=1", "HAKURIVER_TASK_ID=7"}) == 0);
  const std::string given = "\n" + contents_of(scratch / "environment");
  CHECK(given.find("\nHAKURIVER_TASK_ID=7\n") != std::string::npos);
  for (const std::string name : {"SECRET=", "OTHER=", "/task"}) CHECK(given.find(name) == std::string::npos);
  const std::string words = contents_of(scratch / "words");
  CHECK(words.find("x y") == std::string::npos);
  CHECK(words.ends_with("\nsolve\n--fast\n"));
  const std::string spec = contents_of(scratch / "spec");
  CHECK(spec.find(std::string("SECRET=x y\0PATH=/task", 22)) != std::string::npos);
  CHECK(spec.find("earlier") == std::string::npos);
}

TEST_CASE("the files of its output are the user's whom a task in a scope runs as") {
  if (::geteuid() != 0) {
    MESSAGE("skipped: only root can give files away");
    return;
  }
  const ScratchDirectory scratch;
  CHECK(run_scope(scratch, {"--user", "65534:65533"}, {}) == 0);
  struct stat facts {};
  REQUIRE(::stat((scratch / "out").c_str(), &facts) == 0);
  CHECK(facts.st_uid == 65534);
  CHECK(facts.st_gid == 65533);
}
