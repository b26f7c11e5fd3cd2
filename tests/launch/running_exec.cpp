#include "running_exec.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/scratch_directory.hpp"

namespace hakuriver::test {
namespace {

std::vector<char*> pointers_to(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (const auto& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

Ran run_exec(const Argv& words, const std::vector<std::string>& environment) {
  const ScratchDirectory scratch;
  Argv argv{HAKURIVER_TEST_EXEC};
  argv.insert(argv.end(), words.begin(), words.end());
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  const std::string files[] = {scratch.path() + "/out", scratch.path() + "/err", scratch.path() + "/report"};
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  for (int i = 0; i < 3; ++i) {
    ::posix_spawn_file_actions_addopen(&actions, i + 1, files[i].c_str(), O_WRONLY | O_CREAT | O_APPEND, 0666);
  }
  pid_t pid = -1;
  Ran ran;
  const int error = ::posix_spawn(&pid, argv.front().c_str(), &actions, nullptr, pointers_to(argv).data(),
                                  pointers_to(environment).data());
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return {error << 8, {}, {}, {}};
  ::waitpid(pid, &ran.wait_status, 0);
  ran.output = contents_of(files[0]);
  ran.errors = contents_of(files[1]);
  ran.report = contents_of(files[2]);
  return ran;
}

int code_of(const Ran& ran) { return WIFEXITED(ran.wait_status) ? WEXITSTATUS(ran.wait_status) : -1; }

}  // namespace hakuriver::test
