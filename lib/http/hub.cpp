#include "http/hub.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <utility>

#include "http/connection.hpp"

namespace hakuriver::http {
namespace {

// Connections over the limit that are kept for the moment it takes to tell them 503.
constexpr std::size_t kRefusedAtOnce = 128;
// Deadlines are kept within this; however many connections end, the timer fires at most so often.
constexpr std::chrono::milliseconds kTimerGrain{50};

}  // namespace

Hub::Hub(HttpServerOptions options_given, HttpHandler handler_given)
    : options(std::move(options_given)),
      handler(std::move(handler_given)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      stop_event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)) {
  if (!is_open()) return;
  watch(stop_event_.get(), kStopKey, EPOLLIN);
  watch(timer_.get(), kTimerKey, EPOLLIN | EPOLLET);
}

Hub::~Hub() = default;

bool Hub::is_open() const noexcept { return epoll_.is_open() && stop_event_.is_open() && timer_.is_open(); }

bool Hub::watch(int fd, EventKey key, std::uint32_t events) noexcept {
  epoll_event event{};
  event.events = events;
  event.data.u64 = key;
  return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void Hub::unwatch(int fd) noexcept { ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); }

void Hub::kick(int fd, EventKey key) noexcept {
  // Setting an edge-triggered interest again reports what is ready now, and a socket is nearly always writable.
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.u64 = key;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

void Hub::raise_stop() noexcept { ::eventfd_write(stop_event_.get(), 1); }

void Hub::adopt(Descriptor socket, std::string remote_address) {
  const auto open = count_.load();
  const bool is_refused = open >= options.max_connections;
  if (open >= options.max_connections + kRefusedAtOnce) return;
  const auto key = next_key_.fetch_add(1);
  const int fd = socket.get();
  const auto connection =
      std::make_shared<Connection>(*this, key, std::move(socket), std::move(remote_address), is_refused);
  auto& shard = shard_of(key);
  {
    const std::lock_guard lock(shard.mutex);
    shard.connections.emplace(key, connection);
    count_.fetch_add(1);
  }
  if (!watch(fd, key, EPOLLIN | EPOLLRDHUP | EPOLLET)) return connection->abandon();
  want_wakeup(connection->first_deadline());
}

std::shared_ptr<Connection> Hub::find(EventKey key) const {
  const auto& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.connections.find(key);
  return found == shard.connections.end() ? nullptr : found->second;
}

void Hub::forget(EventKey key) {
  auto& shard = shard_of(key);
  {
    const std::lock_guard lock(shard.mutex);
    if (shard.connections.erase(key) == 0) return;
  }
  if (count_.fetch_sub(1) != 1 || !is_stopping) return;
  const std::lock_guard lock(empty_mutex_);
  empty_.notify_all();
}

std::vector<std::shared_ptr<Connection>> Hub::all() const {
  std::vector<std::shared_ptr<Connection>> connections;
  connections.reserve(count());
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    for (const auto& entry : shard.connections) connections.push_back(entry.second);
  }
  return connections;
}

bool Hub::wait_until_empty(std::chrono::milliseconds limit) const {
  std::unique_lock lock(empty_mutex_);
  return empty_.wait_for(lock, limit, [this] { return count_.load() == 0; });
}

void Hub::want_wakeup(TimePoint time) noexcept {
  const auto ticks = time.time_since_epoch().count();
  if (ticks >= armed_for_.load(std::memory_order_acquire)) return;
  const std::lock_guard lock(timer_mutex_);
  if (ticks >= armed_for_.load(std::memory_order_relaxed)) return;
  const auto at = std::max(time, Clock::now() + kTimerGrain);
  armed_for_.store(ticks, std::memory_order_release);
  const auto since_start = std::chrono::duration_cast<std::chrono::nanoseconds>(at.time_since_epoch()).count();
  itimerspec when{};
  when.it_value.tv_sec = since_start / 1'000'000'000;
  when.it_value.tv_nsec = since_start % 1'000'000'000;
  ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
}

void Hub::end_overdue() {
  std::uint64_t expirations = 0;
  if (::read(timer_.get(), &expirations, sizeof expirations) < 0) return;
  {
    const std::lock_guard lock(timer_mutex_);
    armed_for_.store(kNever.time_since_epoch().count(), std::memory_order_release);
  }
  const auto now = Clock::now();
  auto next = kNever;
  for (const auto& connection : all()) next = std::min(next, connection->end_if_overdue(now));
  if (next != kNever) want_wakeup(next);
}

}  // namespace hakuriver::http
