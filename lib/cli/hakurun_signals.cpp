#include "cli/hakurun_signals.hpp"

#include <sys/signalfd.h>
#include <unistd.h>

#include <ctime>

namespace hakuriver::cli {
namespace {

bool is_ignored(int number) {
  struct sigaction action {};
  return ::sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

SignalWatch::SignalWatch() {
  sigset_t wanted;
  ::sigemptyset(&wanted);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP}) {
    if (!is_ignored(number)) ::sigaddset(&wanted, number);
  }
  descriptor_ = platform::Descriptor(::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
  ::sigaddset(&wanted, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &wanted, &before_);
  blocked_ = wanted;
}

SignalWatch::~SignalWatch() {
  // A write that found its pipe closed has left a signal behind.
  sigset_t pipe;
  ::sigemptyset(&pipe);
  ::sigaddset(&pipe, SIGPIPE);
  const timespec no_wait{};
  while (::sigtimedwait(&pipe, nullptr, &no_wait) > 0) {
  }
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

std::vector<int> SignalWatch::blocked() const {
  std::vector<int> numbers;
  for (int number = 1; number < NSIG; ++number) {
    if (::sigismember(&blocked_, number) == 1 && ::sigismember(&before_, number) == 0) numbers.push_back(number);
  }
  return numbers;
}

std::optional<int> SignalWatch::next() const {
  signalfd_siginfo signal{};
  if (::read(descriptor_.get(), &signal, sizeof signal) != static_cast<ssize_t>(sizeof signal)) return std::nullopt;
  return static_cast<int>(signal.ssi_signo);
}

// STOP, not TSTP: the kernel drops that one where the process group is orphaned (setpgid(2)), under a service say.
void SignalWatch::stop_this_process() { ::raise(SIGSTOP); }

}  // namespace hakuriver::cli
