// The first program of ours inside a container, which runs with any image or none: static, and libc only.
//
//   hakuriver-container-init --stdout FILE --stderr FILE --report FILE [--expect DEVICE:INODE:PATH]...
//                            [--directory DIRECTORY] [--nice N] -- COMMAND ...
//   hakuriver-container-init --signal N
//
// The first form opens the files, starts the command as a session of its own, passes on the signals that come from the
// engine, and writes to the report, one a line: "unopened ERRNO" where a file could not be opened, "unentered ERRNO"
// where the directory could not be entered, else "starting"; then "started", or "never_started ERRNO" where the command
// could not be executed; then "exited N" or "signaled N", and what the container's cgroup counted. An engine's own
// record knows no difference between a command that exits with 137 and one that was killed. What the command leaves
// behind gets TERM, two seconds, and KILL. The second form sends a signal to everything in the container.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

namespace {

// Where it is mounted in containers. From anywhere else it does nothing: it signals all processes that it can see.
constexpr const char* kOwnPlace = "/.hakuriver/init";
constexpr int kNotExecutable = 126;
constexpr int kNotFound = 127;
constexpr int kOwnFault = 125;
constexpr int kLeftoverPatience = 2;  // seconds

// The parent is an init in front of us, or, of the init itself and of what an engine runs inside, nobody that can be
// seen from here.
bool is_contained() {
  char place[64];
  const ssize_t size = readlink("/proc/self/exe", place, sizeof place);
  const bool is_mounted =
      size == static_cast<ssize_t>(strlen(kOwnPlace)) && strncmp(place, kOwnPlace, strlen(kOwnPlace)) == 0;
  return is_mounted && getppid() <= 1;
}

struct Options {
  const char* output = nullptr;
  const char* errors = nullptr;
  const char* report = nullptr;
  const char* directory = nullptr;
  int nice = 0;
  int signal = 0;
  bool is_as_expected = true;
  char** command = nullptr;
};

// "DEVICE:INODE:PATH": a mount must be what was looked at before it was asked for.
bool is_expected(const char* text) {
  char* end = nullptr;
  const unsigned long long device = strtoull(text, &end, 10);
  if (*end != ':') return false;
  const unsigned long long inode = strtoull(end + 1, &end, 10);
  struct stat status {};
  return *end == ':' && stat(end + 1, &status) == 0 && status.st_dev == device && status.st_ino == inode;
}

bool take_option(Options& options, const char* name, const char* value) {
  const auto is = [name](const char* text) { return strcmp(name, text) == 0; };
  if (is("--stdout")) return (options.output = value) != nullptr;
  if (is("--stderr")) return (options.errors = value) != nullptr;
  if (is("--report")) return (options.report = value) != nullptr;
  if (is("--directory")) return (options.directory = value) != nullptr;
  if (is("--expect")) {
    options.is_as_expected = options.is_as_expected && is_expected(value);
    return true;
  }
  if (is("--nice")) return (options.nice = atoi(value)) >= 0;
  if (is("--signal")) return (options.signal = atoi(value)) > 0;
  return false;
}

bool parse(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; i += 2) {
    if (strcmp(argv[i], "--") == 0) {
      options.command = argv + i + 1;
      break;
    }
    if (i + 1 >= argc || !take_option(options, argv[i], argv[i + 1])) return false;
  }
  const bool runs = options.output && options.errors && options.report && options.command && options.command[0];
  return runs || options.signal != 0;
}

class Report {
 public:
  bool open(const char* path) { return (file_ = ::open(path, O_WRONLY | O_APPEND | O_CLOEXEC)) >= 0; }
  void line(const char* word, long long number) {
    char text[64];
    put(text, snprintf(text, sizeof text, "%s %lld\n", word, number));
  }
  void line(const char* word) {
    char text[64];
    put(text, snprintf(text, sizeof text, "%s\n", word));
  }

 private:
  void put(const char* text, int size) {
    if (write(file_, text, static_cast<size_t>(size)) < 0) return;  // a full disk: the engine's record is what remains
  }
  int file_ = -1;
};

bool redirect(const char* path, int number) {
  const int file = open(path, O_WRONLY | O_APPEND | O_NOCTTY);
  if (file < 0 || dup2(file, number) < 0) return false;
  if (file != number) close(file);
  return true;
}

bool redirect_input() {
  const int file = open("/dev/null", O_RDONLY);
  return file >= 0 && (file == STDIN_FILENO || (dup2(file, STDIN_FILENO) >= 0 && close(file) == 0));
}

bool is_file(const char* path) {
  struct stat status {};
  return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

// execvp would give a file that is no program to a shell; a command is what it is.
int execute(char** command) {
  if (strchr(command[0], '/') != nullptr) {
    execve(command[0], command, environ);
    return errno;
  }
  const char* path = getenv("PATH");
  int failure = ENOENT;
  for (const char* at = path != nullptr ? path : "/bin:/usr/bin"; at != nullptr;) {
    const char* const end = strchrnul(at, ':');
    char place[4096];
    const int size =
        snprintf(place, sizeof place, "%.*s%s%s", static_cast<int>(end - at), at, end == at ? "" : "/", command[0]);
    if (size > 0 && static_cast<size_t>(size) < sizeof place && is_file(place)) {
      execve(place, command, environ);
      if (errno != EACCES) return errno == ENOENT ? ENOEXEC : errno;  // its interpreter is missing
      failure = EACCES;
    }
    at = *end == ':' ? end + 1 : nullptr;
  }
  return failure;
}

[[noreturn]] void become_command(const Options& options, int failure_pipe) {
  const rlimit no_core{0, 0};
  sigset_t none;
  sigemptyset(&none);
  setsid();
  umask(022);
  setrlimit(RLIMIT_CORE, &no_core);
  if (options.nice != 0) setpriority(PRIO_PROCESS, 0, options.nice);
  for (int number = 1; number < NSIG; ++number) signal(number, SIG_DFL);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  const int failure = execute(options.command);
  if (write(failure_pipe, &failure, sizeof failure) < 0) _exit(kOwnFault);
  _exit(failure == ENOENT ? kNotFound : kNotExecutable);
}

// Of files of cgroup v1 and v2 as they are mounted in containers: the number behind `key`, or the first; -1 for none.
long long read_number(const char* path, const char* key) {
  char text[4096];
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return -1;
  const ssize_t size = read(file, text, sizeof text - 1);
  close(file);
  if (size <= 0) return -1;
  text[size] = '\0';
  const char* const at = key == nullptr ? text : strstr(text, key);
  return at == nullptr ? -1 : atoll(at + (key == nullptr ? 0 : strlen(key)));
}

void report_usage(Report& report) {
  long long cpu = read_number("/sys/fs/cgroup/cpu.stat", "usage_usec ");
  if (cpu < 0) {
    const long long nanoseconds = read_number("/sys/fs/cgroup/cpuacct/cpuacct.usage", nullptr);
    cpu = nanoseconds < 0 ? -1 : nanoseconds / 1000;
  }
  long long peak = read_number("/sys/fs/cgroup/memory.peak", nullptr);
  if (peak < 0) peak = read_number("/sys/fs/cgroup/memory/memory.max_usage_in_bytes", nullptr);
  if (cpu >= 0) report.line("cpu_microseconds", cpu);
  if (peak >= 0) report.line("peak_bytes", peak);
}

// Reaps what has ended; true where the main process is among it. What it leaves is ours, for we are a subreaper.
bool reap(pid_t main_process, int& status, bool& has_children) {
  for (bool is_ended = false;;) {
    int any = 0;
    const pid_t pid = waitpid(-1, &any, WNOHANG);
    has_children = pid >= 0;
    if (pid <= 0) return is_ended;
    if (pid == main_process) {
      status = any;
      is_ended = true;
    }
  }
}

int wait_for(pid_t main_process) {
  sigset_t all;
  sigfillset(&all);
  for (;;) {
    int status = 0;
    bool has_children = true;
    if (reap(main_process, status, has_children)) return status;
    siginfo_t info{};
    const int number = sigwaitinfo(&all, &info);
    // From outside the namespace the sender is 0, from an init in front of us it is 1.
    const bool is_for_command = number > 0 && number != SIGCHLD && info.si_code <= 0 && info.si_pid <= 1;
    if (is_for_command) kill(main_process, number);
  }
}

// Everything but us and the init. Where we are the init, our end is the end of all.
void end_leftovers() {
  if (kill(-1, SIGTERM) != 0) return;
  kill(-1, SIGCONT);
  timespec until{};
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += kLeftoverPatience;
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  for (;;) {
    int status = 0;
    bool has_children = true;
    reap(-1, status, has_children);
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (kill(-1, 0) != 0 || now.tv_sec > until.tv_sec || (now.tv_sec == until.tv_sec && now.tv_nsec >= until.tv_nsec))
      break;
    const timespec slice{0, 20'000'000};  // an orphan of another's is reaped by the init, and nobody tells us
    sigtimedwait(&child, nullptr, &slice);
  }
  kill(-1, SIGKILL);
}

int finish(Report& report, int status) {
  end_leftovers();
  report_usage(report);
  if (WIFSIGNALED(status)) {
    report.line("signaled", WTERMSIG(status));
    return 128 + WTERMSIG(status);
  }
  report.line("exited", WEXITSTATUS(status));
  return WEXITSTATUS(status);
}

int run(const Options& options) {
  Report report;
  if (!report.open(options.report)) return kOwnFault;
  if (!redirect_input() || !redirect(options.output, STDOUT_FILENO) || !redirect(options.errors, STDERR_FILENO)) {
    report.line("unopened", errno);
    return kOwnFault;
  }
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  if (!options.is_as_expected) {
    report.line("never_started", EXDEV);
    return kNotExecutable;
  }
  // An engine would make one that is missing, as root, and on the node where it is below a mount.
  if (options.directory != nullptr && chdir(options.directory) != 0) {
    report.line("unentered", errno);
    return kNotExecutable;
  }
  report.line("starting");
  int failure_pipe[2];
  const bool has_pipe = pipe2(failure_pipe, O_CLOEXEC) == 0;
  const pid_t child = has_pipe ? fork() : -1;
  if (child < 0) {
    report.line("never_started", errno);
    return kOwnFault;
  }
  if (child == 0) become_command(options, failure_pipe[1]);
  close(failure_pipe[1]);
  int failure = 0;
  const bool has_failed = read(failure_pipe[0], &failure, sizeof failure) == sizeof failure;
  close(failure_pipe[0]);
  if (!has_failed) report.line("started");
  const int status = wait_for(child);
  if (!has_failed) return finish(report, status);
  report.line("never_started", failure);
  return WEXITSTATUS(status);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!is_contained() || !parse(argc, argv, options)) return kOwnFault;
  if (options.signal == 0) return run(options);
  // Whom it does not reach has ended, which is as good.
  kill(-1, options.signal);
  if (options.signal == SIGTERM) kill(-1, SIGCONT);
  return 0;
}
