#include "launch/isolation.hpp"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstring>

namespace hakuriver::launch {
namespace {

constexpr time_t kGraceSeconds = 2;

ExecFailure failure(const std::string& what) {
  const int error = errno == ENOENT || errno == EACCES || errno == 0 ? EIO : errno;
  return {error, what + ": " + std::strerror(errno)};
}

bool raise_loopback() {
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return false;
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  bool done = ::ioctl(socket, SIOCGIFFLAGS, &request) == 0;
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  done = done && ::ioctl(socket, SIOCSIFFLAGS, &request) == 0;
  ::close(socket);
  return done;
}

void block_all_signals() {
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  ::signal(SIGCHLD, SIG_DFL);  // ignored, there would be no statuses
}

int await(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

// TERM to all that is left in this process table, KILL 2 s later; true where it is empty.
void end_orphans() {
  ::kill(-1, SIGTERM);
  ::kill(-1, SIGCONT);
  sigset_t child;
  ::sigemptyset(&child);
  ::sigaddset(&child, SIGCHLD);
  timespec deadline{};
  ::clock_gettime(CLOCK_MONOTONIC, &deadline);
  deadline.tv_sec += kGraceSeconds;
  while (true) {
    pid_t reaped = 0;
    while ((reaped = ::waitpid(-1, nullptr, WNOHANG)) > 0) {
    }
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    if (reaped < 0 || now.tv_sec > deadline.tv_sec) return;
    const timespec pause{0, 100'000'000};
    ::sigtimedwait(&child, nullptr, &pause);
  }
}

// Process number 1: tells through the pipe how the command ended. Its own end takes what is left with it.
[[noreturn]] void serve_as_first(pid_t command, int pipe) {
  int status = 0;
  pid_t reaped = 0;
  do {
    reaped = ::waitpid(-1, &status, 0);
  } while (reaped != command && (reaped >= 0 || errno == EINTR));
  const bool told = ::write(pipe, &status, sizeof status) == static_cast<ssize_t>(sizeof status);
  end_orphans();
  ::_exit(told ? 0 : 1);
}

// In the first process of the new process table; comes back in the second one only.
std::optional<ExecFailure> go_on_as_second(int pipe, StartReport& report) {
  // Later it signals everything that it sees.
  if (::getpid() != 1) return ExecFailure{EIO, "making a process table: not its first process"};
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // Here and not before: the process outside goes on to see its own /proc.
  if (::unshare(CLONE_NEWNS) != 0) return failure("making mounts private");
  if (::mount("none", "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) return failure("making mounts private");
  if (::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0)
    return failure("mounting /proc");
  const pid_t command = ::fork();
  if (command < 0) return failure("starting a process");
  if (command == 0) {
    ::close(pipe);
    return std::nullopt;
  }
  report.close();
  serve_as_first(command, pipe);
}

Split outside_of_private_pid(StartReport& report) {
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) return {Side::failed, 0, failure("making a pipe")};
  if (::unshare(CLONE_NEWPID) != 0) return {Side::failed, 0, failure("making a process table")};
  const pid_t first = ::fork();
  if (first < 0) return {Side::failed, 0, failure("starting a process")};
  if (first == 0) {
    ::close(pipe[0]);
    const auto failed = go_on_as_second(pipe[1], report);
    if (!failed) return {Side::command, 0, {}};
    report.tell_failure(*failed);
    ::_exit(exit_code_of(*failed));
  }
  report.close();
  ::close(pipe[1]);
  int told = 0;
  ssize_t count = 0;
  do {
    count = ::read(pipe[0], &told, sizeof told);
  } while (count < 0 && errno == EINTR);
  ::close(pipe[0]);
  const int status = await(first);
  return {Side::outside, count == static_cast<ssize_t>(sizeof told) ? told : status, {}};
}

}  // namespace

std::optional<ExecFailure> enter_private_network() {
  if (::unshare(CLONE_NEWNET) != 0) return failure("making a network");
  if (!raise_loopback()) return failure("raising the loopback interface");
  return std::nullopt;
}

Split split(bool private_pid, StartReport& report) {
  block_all_signals();
  if (private_pid) return outside_of_private_pid(report);
  const pid_t command = ::fork();
  if (command < 0) return {Side::failed, 0, failure("starting a process")};
  if (command == 0) return {Side::command, 0, {}};
  report.close();
  return {Side::outside, await(command), {}};
}

void end_as(int wait_status) {
  if (!WIFSIGNALED(wait_status)) ::_exit(WEXITSTATUS(wait_status));
  const int number = WTERMSIG(wait_status);
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::signal(number, SIG_DFL);
  // Others that have come meanwhile stay where they are.
  sigset_t own;
  ::sigemptyset(&own);
  ::sigaddset(&own, number);
  ::kill(::getpid(), number);
  ::sigprocmask(SIG_UNBLOCK, &own, nullptr);
  ::_exit(128 + number);
}

}  // namespace hakuriver::launch
