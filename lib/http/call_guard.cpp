#include "http/call_guard.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include <system_error>

namespace hakuriver::http {
namespace {

// A call that shall end may just be between two sockets; so the one it has is cut off again until it has ended.
constexpr std::chrono::milliseconds kCutAgain{10};

void set_cork(int fd, bool hold) {
  const int value = hold ? 1 : 0;
  ::setsockopt(fd, IPPROTO_TCP, TCP_CORK, &value, sizeof value);  // where it fails, there are more segments
}

// A thread that is started meanwhile takes no signals: they belong to the program around us.
class SignalsHeldBack {
 public:
  SignalsHeldBack() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsHeldBack() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsHeldBack(const SignalsHeldBack&) = delete;
  SignalsHeldBack& operator=(const SignalsHeldBack&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace

CallGuard::~CallGuard() {
  {
    const std::lock_guard lock(mutex_);
    is_closing_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

bool CallGuard::begin(Clock::time_point deadline) {
  const std::lock_guard lock(mutex_);
  if (is_cancelled_) return false;
  is_calling_ = true;
  ending_ = Ending::none;
  deadline_ = deadline;
  try {
    const SignalsHeldBack held_back;
    if (!thread_.joinable()) thread_ = std::thread([this] { watch(); });
  } catch (const std::system_error&) {
    // Without a thread to be had, single reads are still bounded.
  }
  if (deadline_ < wakes_at_) changed_.notify_all();
  return true;
}

CallGuard::Ending CallGuard::end() {
  const std::lock_guard lock(mutex_);
  is_calling_ = false;
  return ending_;
}

void CallGuard::cancel() noexcept {
  const std::lock_guard lock(mutex_);
  is_cancelled_ = true;
  changed_.notify_all();
}

bool CallGuard::is_cancelled() const {
  const std::lock_guard lock(mutex_);
  return is_cancelled_;
}

void CallGuard::use_socket(int fd) {
  ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  Descriptor own(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  const std::lock_guard lock(mutex_);
  socket_ = std::move(own);
  ++sockets_seen_;
  if (holds_segments_) set_cork(socket_.get(), true);
}

void CallGuard::hold_segments(bool hold) {
  const std::lock_guard lock(mutex_);
  if (holds_segments_ == hold) return;
  holds_segments_ = hold;
  if (socket_.is_open()) set_cork(socket_.get(), hold);
}

unsigned CallGuard::sockets_seen() const {
  const std::lock_guard lock(mutex_);
  return sockets_seen_;
}

void CallGuard::watch() {
  std::unique_lock lock(mutex_);
  while (!is_closing_) {
    const auto now = Clock::now();
    const bool is_overdue = deadline_ <= now;
    if (is_calling_ && (is_cancelled_ || is_overdue)) {
      ending_ = is_cancelled_ ? Ending::cancelled : Ending::overdue;
      if (socket_.is_open()) ::shutdown(socket_.get(), SHUT_RDWR);
      changed_.wait_for(lock, kCutAgain);
      continue;
    }
    // A call that ended in time leaves its deadline behind: one wake-up, at which there is nothing to do.
    wakes_at_ = is_calling_ ? deadline_ : Clock::time_point::max();
    if (wakes_at_ == Clock::time_point::max()) {
      changed_.wait(lock);
    } else {
      changed_.wait_until(lock, wakes_at_);
    }
  }
}

}  // namespace hakuriver::http
