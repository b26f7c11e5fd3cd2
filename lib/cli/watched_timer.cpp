#include "cli/watched_timer.hpp"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cstdint>

namespace hakuriver::cli {
namespace {

constexpr long kIntervalNanoseconds = 200'000'000;

bool add(int set, int descriptor) {
  epoll_event event{};
  event.events = EPOLLIN;
  return ::epoll_ctl(set, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

}  // namespace

WatchedTimer::WatchedTimer(int other, bool ticks) : other_(other) {
  if (!ticks) return;
  timer_ = platform::Descriptor(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  const itimerspec interval{{0, kIntervalNanoseconds}, {0, kIntervalNanoseconds}};
  platform::Descriptor set(::epoll_create1(EPOLL_CLOEXEC));
  if (!timer_.is_open() || !set.is_open() || ::timerfd_settime(timer_.get(), 0, &interval, nullptr) != 0) return;
  if (add(set.get(), timer_.get()) && add(set.get(), other)) set_ = std::move(set);
}

void WatchedTimer::take_tick() const {
  std::uint64_t ticks = 0;
  if (timer_.is_open()) {
    [[maybe_unused]] const auto taken = ::read(timer_.get(), &ticks, sizeof ticks);  // none: the other one was it
  }
}

}  // namespace hakuriver::cli
