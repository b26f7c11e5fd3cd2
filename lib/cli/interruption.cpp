#include "cli/interruption.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <utility>

namespace hakuriver::cli {
namespace {

bool is_ignored(int number) {
  struct sigaction action {};
  return ::sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

Interruption::Interruption(std::function<void()> on_signal) : on_signal_(std::move(on_signal)) {
  sigset_t wanted;
  ::sigemptyset(&wanted);
  for (const int number : {SIGINT, SIGTERM}) {
    if (!is_ignored(number)) ::sigaddset(&wanted, number);
  }
  ::pthread_sigmask(SIG_BLOCK, &wanted, &before_);
  signals_ = platform::Descriptor(::signalfd(-1, &wanted, SFD_CLOEXEC));
  over_ = platform::Descriptor(::eventfd(0, EFD_CLOEXEC));
  thread_ = std::thread([this] { watch(); });
}

Interruption::~Interruption() {
  const std::uint64_t one = 1;
  while (::write(over_.get(), &one, sizeof one) < 0 && errno == EINTR) {
  }
  thread_.join();
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

bool Interruption::sleep(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return !came_.wait_for(lock, time, [this] { return signal_.load() != 0; });
}

void Interruption::wait() {
  std::unique_lock lock(mutex_);
  came_.wait(lock, [this] { return signal_.load() != 0; });
}

void Interruption::watch() {
  pollfd files[] = {{signals_.get(), POLLIN, 0}, {over_.get(), POLLIN, 0}};
  while (::poll(files, 2, -1) < 0 && errno == EINTR) {
  }
  if (files[0].revents == 0) return;
  signalfd_siginfo info{};
  if (::read(signals_.get(), &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return;
  {
    const std::lock_guard lock(mutex_);
    signal_.store(static_cast<int>(info.ssi_signo));
  }
  came_.notify_all();
  on_signal_();
}

}  // namespace hakuriver::cli
