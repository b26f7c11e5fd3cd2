// hakuriver-keeper STATE_DIRECTORY [--linger-ms=N] [--ready-fd=N]
//
// Started by the agent, never by a person. Says "ready" or one line of complaint on the ready descriptor, and leaves
// the caller's session and process group. Files in its state directory: journal, keeper.sock, keeper.log, lock.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstring>
#include <string>
#include <string_view>

#include "keeper/clocks.hpp"
#include "keeper/keeper.hpp"
#include "keeper/log.hpp"

namespace hakuriver::keeper {
namespace {

using namespace std::chrono_literals;

constexpr off_t kMaxLog = off_t{1} << 20;
constexpr auto kLockWithin = 1s;
constexpr rlim_t kMaxOpenFiles = rlim_t{1} << 20;

struct Arguments {
  std::string directory;
  std::chrono::milliseconds linger{10000};
  int ready = -1;
};

bool parse_option(std::string_view word, std::string_view name, std::int64_t& value) {
  if (!word.starts_with(name)) return false;
  word.remove_prefix(name.size());
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  return error == std::errc{} && end == word.data() + word.size() && value >= 0 && value <= 1'000'000'000;
}

Result<Arguments> parse_arguments(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word(argv[i]);
    std::int64_t value = 0;
    if (parse_option(word, "--linger-ms=", value)) {
      arguments.linger = std::chrono::milliseconds{value};
    } else if (parse_option(word, "--ready-fd=", value)) {
      arguments.ready = static_cast<int>(value);
    } else if (arguments.directory.empty() && !word.starts_with("-")) {
      arguments.directory = word;
    } else {
      return Error{Errc::invalid_argument,
                   "'" + std::string(word) + "': expected STATE_DIRECTORY [--linger-ms=N] [--ready-fd=N]"};
    }
  }
  if (arguments.directory.empty()) return Error{Errc::invalid_argument, "expected a state directory"};
  return arguments;
}

void say_ready(int descriptor, std::string_view words) {
  if (descriptor < 0) return;
  [[maybe_unused]] const auto written = ::write(descriptor, words.data(), words.size());
  ::close(descriptor);
}

// What the caller's signals and descriptors were must not matter to us or to the tasks.
void reset_inheritance(int ready) {
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int descriptor = 3; descriptor < 1024; ++descriptor) {
    if (descriptor != ready) ::close(descriptor);
  }
  if (ready >= 0) ::fcntl(ready, F_SETFD, FD_CLOEXEC);
  ::umask(022);
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
}

// The lock outlives its keeper while a child of that one has not executed its program: so it is waited for a little.
Result<Descriptor> take_lock() {
  Descriptor lock(::open("lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock) return io_error("lock", errno);
  const auto until = monotonic_now() + kLockWithin;
  while (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return io_error("lock", errno);
    if (monotonic_now() > until) return Error{Errc::unavailable, "another keeper holds the lock"};
    ::usleep(2000);
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(lock.get(), 0) != 0 || ::pwrite(lock.get(), pid.data(), pid.size(), 0) < 0) {
    log_line(describe_errno("lock", errno));  // the number is for people; the lock holds without it
  }
  return lock;
}

Status open_log() {
  struct stat status {};
  if (::stat("keeper.log", &status) == 0 && status.st_size > kMaxLog) ::rename("keeper.log", "keeper.log.old");
  const Descriptor null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const Descriptor log(::open("keeper.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!null) return io_error("/dev/null", errno);
  if (!log) return io_error("keeper.log", errno);
  if (::dup2(null.get(), 0) < 0 || ::dup2(log.get(), 1) < 0 || ::dup2(log.get(), 2) < 0) {
    return io_error("keeper.log", errno);
  }
  return Unit{};
}

// Relative to the working directory, which is the state directory: its path may be longer than a socket's may.
Result<Descriptor> listen_on_socket() {
  ::unlink("keeper.sock");
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return io_error("keeper.sock", errno);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, "keeper.sock");
  ::umask(0177);
  const int bound = ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int error = errno;
  ::umask(022);
  if (bound != 0) return io_error("keeper.sock", error);
  if (::listen(socket.get(), 16) != 0) return io_error("keeper.sock", errno);
  return socket;
}

rlimit raise_open_files() {
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  rlimit raised = before;
  raised.rlim_cur = std::min(before.rlim_max, kMaxOpenFiles);
  ::setrlimit(RLIMIT_NOFILE, &raised);
  return before;
}

Status serve(const Arguments& arguments) {
  if (::chdir(arguments.directory.c_str()) != 0) return io_error(arguments.directory, errno);
  const auto lock = take_lock();
  if (!lock) return lock.error();
  const auto logged = open_log();
  if (!logged) return logged;
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  const Descriptor directory(::open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return io_error(arguments.directory, errno);
  auto opened = Journal::open(directory.get(), read_boot_id());
  if (!opened) return opened.error();
  for (const auto& note : opened->notes) log_line(note);
  auto listener = listen_on_socket();
  if (!listener) return listener.error();
  Ledger ledger(std::move(opened->journal), std::move(opened->content));
  Keeper keeper({std::move(*listener), raise_open_files(), arguments.linger}, ledger);
  log_line("started as process " + std::to_string(::getpid()));
  say_ready(arguments.ready, "ready\n");
  const auto served = keeper.run();
  // Before the lock goes: a later keeper's socket has the same name.
  ::unlink("keeper.sock");
  log_line(served ? "nothing left to do" : served.error().message);
  return Unit{};
}

}  // namespace
}  // namespace hakuriver::keeper

int main(int argc, char** argv) {
  using namespace hakuriver::keeper;
  const auto arguments = parse_arguments(argc, argv);
  if (!arguments) {
    ::fprintf(stderr, "hakuriver-keeper: %s\n", arguments.error().message.c_str());
    return 2;
  }
  reset_inheritance(arguments->ready);
  // A grandchild: nobody's process group, nobody's zombie, and never a session leader's successor.
  const pid_t child = ::fork();
  if (child != 0) ::_exit(child < 0 ? 1 : 0);
  ::setsid();
  const auto served = serve(*arguments);
  if (served) return 0;
  say_ready(arguments->ready, served.error().message + "\n");
  return 1;
}
