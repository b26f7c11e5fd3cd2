#include "systemd/child_program.hpp"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

namespace hakuriver::systemd {
namespace {

constexpr std::size_t kMaxPrinted = std::size_t{64} << 10;

std::vector<char*> pointers_to(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (const auto& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// `output` becomes standard output, with standard error on /dev/null; -1: both stay.
Result<pid_t> spawn(const Argv& argv, const std::vector<std::string>& environment, int output) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none;
  sigset_t all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  if (output >= 0) {
    ::posix_spawn_file_actions_adddup2(&actions, output, 1);
    ::posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  }
  ::posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, argv.front().c_str(), &actions, &attributes, pointers_to(argv).data(),
                                  pointers_to(environment).data());
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return Error{Errc::io, "'" + argv.front() + "': " + std::strerror(error)};
  return pid;
}

}  // namespace

Result<pid_t> start_program(const Argv& argv, const std::vector<std::string>& environment) {
  return spawn(argv, environment, -1);
}

int await_program(pid_t pid) {
  int status = -1;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

Printed read_program(const Argv& argv, const std::vector<std::string>& environment) {
  Printed printed;
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) return printed;
  const auto pid = spawn(argv, environment, pipe[1]);
  ::close(pipe[1]);
  if (pid) {
    char buffer[4096];
    ssize_t count = 0;
    while ((count = ::read(pipe[0], buffer, sizeof buffer)) > 0 || (count < 0 && errno == EINTR)) {
      if (count > 0 && printed.text.size() < kMaxPrinted) printed.text.append(buffer, static_cast<std::size_t>(count));
    }
    printed.good = await_program(*pid) == 0;
  }
  ::close(pipe[0]);
  return printed;
}

}  // namespace hakuriver::systemd
