#include "systemd/client.hpp"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "launch/isolation.hpp"
#include "launch/spec_file.hpp"
#include "systemd/child_program.hpp"
#include "systemd/command_line.hpp"
#include "systemd/unit.hpp"
#include "systemd/unit_processes.hpp"

namespace hakuriver::systemd {
namespace {

using launch::ExecFailure;

constexpr timespec kShortly{0, 20'000'000};
constexpr int kRecordSteps = 3000;  // of kShortly: how long the manager may take to write down an end

ExecFailure failure(const std::string& what, int error) { return {EIO, what + ": " + std::strerror(error)}; }

// What the program inside is asked for: what a process of another parent does not inherit comes with it.
std::optional<ExecFailure> prepare(const Options& options, std::vector<std::string> environment,
                                   launch::ExecOptions& task) {
  task = options.task;
  task.report_file = options.file(".report");
  task.spec_file = options.file(".spec");
  task.account_file = options.file(".account");
  for (const char* suffix : {".report", ".spec", ".account", kCgroupSuffix}) ::unlink(options.file(suffix).c_str());
  launch::TaskSpecFile spec{{}, launch::own_limits(), std::move(environment)};
  std::array<char, 4096> directory{};
  if (!options.working_directory.empty()) {
    spec.directory = options.working_directory;
  } else if (::getcwd(directory.data(), directory.size()) == nullptr) {
    return failure("the working directory", errno);
  } else {
    spec.directory = directory.data();
  }
  if (const auto kept = launch::write_spec_file(task.spec_file, spec); !kept) {
    return ExecFailure{EIO, kept.error().message};
  }
  if (::mkfifo(task.report_file.c_str(), 0600) != 0) return failure("'" + task.report_file + "'", errno);
  return std::nullopt;
}

// Who is asked to start it is left alone by signals that mean the task.
void block_signals() {
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  ::signal(SIGCHLD, SIG_DFL);
}

// A service's starter ends well before its program may have written; that may have died without a word.
bool has_failed(const Options& options, pid_t starter, int step) {
  constexpr int kStepsBetweenLooks = 50;
  siginfo_t info{};
  if (::waitid(P_PID, static_cast<id_t>(starter), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != starter) {
    return false;
  }
  if (options.is_scope() || info.si_code != CLD_EXITED || info.si_status != 0) return true;
  if (step % kStepsBetweenLooks != 0) return false;
  const auto state = read_unit_state(options);
  return state.is_known && state.main_pid == 0;
}

// Where it cannot be kept, nobody looks for processes that the manager gave up on.
void keep_cgroup(const Options& options, std::string_view text) {
  if (text.starts_with('\0')) return;
  const int file = ::open(options.file(kCgroupSuffix).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0) return;
  const auto written = ::write(file, text.data(), text.size());
  (void)written;
  ::close(file);
}

// Passes on what comes through the FIFO until its writer is gone; false where nothing came, and nothing will.
bool pass_report_on(const Options& options, int fifo, int report_fd, pid_t starter) {
  bool passed = false;
  for (int step = 1;; ++step) {
    pollfd file{fifo, POLLIN, 0};
    const bool is_late = ::poll(&file, 1, 20) <= 0;
    if (is_late && !passed && has_failed(options, starter, step)) {
      if (::poll(&file, 1, 0) <= 0) return false;
    }
    if (is_late) continue;
    std::array<char, 8192> text;
    const auto count = ::read(fifo, text.data(), text.size());
    if (count == 0) return passed;
    if (count < 0) continue;
    passed = true;
    keep_cgroup(options, {text.data(), static_cast<std::size_t>(count)});
    const auto told = ::write(report_fd, text.data(), static_cast<std::size_t>(count));
    (void)told;  // nobody listens: the task runs all the same
  }
}

// sudo stops with the command that it waits for, outside of the unit, where nobody else would wake it. The command does
// not go on for that: sudo passes on no signal from its own process group, which we are in.
int await_scope(pid_t starter) {
  for (;;) {
    int status = -1;
    while (::waitpid(starter, &status, WUNTRACED) < 0 && errno == EINTR) {
    }
    if (!WIFSTOPPED(status)) return status;
    ::kill(starter, SIGCONT);  // of root, too: it is of our session
  }
}

void await_main_process(std::int64_t pid) {
  const int process = static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0));
  if (process < 0) return;
  pollfd file{process, POLLIN, 0};
  while (::poll(&file, 1, -1) < 0 && errno == EINTR) {
  }
  ::close(process);
}

// Until the manager says how its main process ended, and as long as it says nothing. One that was taken away is an
// unknown end: `finish` says so.
[[noreturn]] void end_as_service(const Options& options) {
  for (int step = 0; step < kRecordSteps; ++step) {
    const auto state = read_unit_state(options);
    if (state.main_pid != 0 || !state.is_known) {
      if (state.main_pid != 0) await_main_process(state.main_pid);
      step = 0;
    } else if (state.is_loaded && state.main_code == CLD_EXITED) {
      ::_exit(state.main_status);
    } else if (state.is_loaded && state.main_code != 0) {
      launch::end_as(state.main_status);
    } else if (!state.is_loaded) {
      break;
    }
    ::nanosleep(&kShortly, nullptr);
  }
  ::_exit(1);
}

}  // namespace

ExecFailure run_as_client(const Options& options, std::vector<std::string> environment, int report_fd) {
  launch::ExecOptions task;
  if (auto failed = prepare(options, std::move(environment), task)) return *failed;
  ::fcntl(report_fd, F_SETFD, FD_CLOEXEC);
  const int fifo = ::open(task.report_file.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fifo < 0) return failure("'" + task.report_file + "'", errno);
  block_signals();
  if (!options.is_scope()) task.outputs_of = static_cast<std::uint32_t>(::getpid());
  const Argv line = build_command_line(options, task);
  const auto starter = start_program(line, program_environment(options));
  if (!starter) return {EIO, starter.error().message};
  const bool reported = pass_report_on(options, fifo, report_fd, *starter);
  ::close(fifo);
  ::close(report_fd);
  ::unlink(task.report_file.c_str());
  if (!reported) {
    // What it said is on standard error; with no report, its first line is the reason.
    ::unlink(task.spec_file.c_str());
    ::_exit(125);
  }
  if (options.is_scope()) launch::end_as(await_scope(*starter));
  await_program(*starter);
  end_as_service(options);
}

}  // namespace hakuriver::systemd
