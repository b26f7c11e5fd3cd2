#include "container/child.hpp"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <system_error>
#include <utility>

#include "platform/descriptor.hpp"

namespace hakuriver::container {
namespace {

using Clock = std::chrono::steady_clock;
using platform::Descriptor;

constexpr std::size_t kMaxOutput = std::size_t{4} << 20;
constexpr std::size_t kMaxErrors = 4096;

Error system_error(const std::string& what) {
  return {errno == ENOENT ? Errc::not_found : Errc::io, what + ": " + std::generic_category().message(errno)};
}

struct Pipe {
  Descriptor reader;
  Descriptor writer;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return system_error("pipe");
  return Pipe{Descriptor(ends[0]), Descriptor(ends[1])};
}

std::vector<char*> pointers_to(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (const auto& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// In the child: nothing here takes memory or a lock.
[[noreturn]] void become(const ChildRequest& request, pid_t parent, int output, int errors, char* const* argv,
                         char* const* environment) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);  // it ended before that
  if (request.is_apart) ::setpgid(0, 0);
  struct sigaction usual {};
  usual.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &usual, nullptr);
  ::sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const int input = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (::dup2(input, 0) == 0 && ::dup2(output, 1) == 1 && ::dup2(errors, 2) == 2) {
    ::execvpe(argv[0], argv, environment);
  }
  ::_exit(127);
}

// With default signals, whatever ours are.
class Attributes {
 public:
  Attributes() {
    sigset_t none;
    sigset_t all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_init(&attributes_);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);
    ::posix_spawn_file_actions_init(&actions_);
  }
  ~Attributes() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;

  int spawn(pid_t& pid, const ChildRequest& request, int output, int errors) {
    ::posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions_, output, 1);
    ::posix_spawn_file_actions_adddup2(&actions_, errors, 2);
    auto argv = pointers_to(request.argv);
    auto environment = pointers_to(request.environment);
    if (request.ends_with_us) {  // posix_spawn has no way to say that
      const pid_t parent = ::getpid();
      pid = ::fork();
      if (pid == 0) become(request, parent, output, errors, argv.data(), environment.data());
      return pid < 0 ? errno : 0;
    }
    const int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | (request.is_apart ? POSIX_SPAWN_SETPGROUP : 0);
    ::posix_spawnattr_setflags(&attributes_, static_cast<short>(flags));
    return ::posix_spawnp(&pid, argv.front(), &actions_, &attributes_, argv.data(), environment.data());
  }

 private:
  posix_spawnattr_t attributes_{};
  posix_spawn_file_actions_t actions_{};
};

// False at the end of the pipe.
bool take(int file, std::string& text, std::size_t most) {
  std::array<char, 16384> buffer;
  const ssize_t size = ::read(file, buffer.data(), buffer.size());
  if (size < 0) return errno == EINTR;
  text.append(buffer.data(), std::min(static_cast<std::size_t>(size), most - text.size()));
  return size > 0;
}

// False where the patience ended before the pipes did.
bool take_all(const Pipe& output, const Pipe& errors, std::chrono::milliseconds patience, ChildEnd& end) {
  const auto until = Clock::now() + patience;
  std::array<pollfd, 2> files{{{output.reader.get(), POLLIN, 0}, {errors.reader.get(), POLLIN, 0}}};
  while (files[0].fd >= 0 || files[1].fd >= 0) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
    if (patience.count() != 0 && left <= 0) return false;
    ::poll(files.data(), files.size(), patience.count() == 0 ? -1 : static_cast<int>(left));
    if (files[0].revents != 0 && !take(files[0].fd, end.output, kMaxOutput)) files[0].fd = -1;
    if (files[1].revents != 0 && !take(files[1].fd, end.first_error, kMaxErrors)) files[1].fd = -1;
    files[0].revents = files[1].revents = 0;
  }
  return true;
}

int output_of(const ChildRequest& request, const Pipe& pipe) {
  return request.output_file >= 0 ? request.output_file : pipe.writer.get();
}

int wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

Result<ChildEnd> run_child(const ChildRequest& request) {
  auto output = make_pipe();
  if (!output) return output.error();
  auto errors = make_pipe();
  if (!errors) return errors.error();
  pid_t pid = -1;
  Attributes attributes;
  errno = attributes.spawn(pid, request, output_of(request, *output), errors->writer.get());
  if (errno != 0) return system_error("'" + request.argv.front() + "'");
  output->writer = Descriptor();
  errors->writer = Descriptor();
  ChildEnd end;
  const bool is_whole = take_all(*output, *errors, request.patience, end);
  if (!is_whole) ::kill(pid, SIGKILL);
  end.exit_code = wait_for(pid);
  if (!is_whole) return Error{Errc::unavailable, "'" + request.argv.front() + "' took too long"};
  end.first_error.resize(std::min(end.first_error.find('\n'), end.first_error.size()));
  return end;
}

}  // namespace hakuriver::container
