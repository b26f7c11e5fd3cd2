// What all connections of a server share: its options, the one epoll that every worker waits on, the table of open
// connections, and the clock that ends slow ones.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "hakuriver/http.hpp"
#include "hakuriver/result.hpp"
#include "http/descriptor.hpp"
#include "http/request_parser.hpp"
#include "http/server.hpp"

namespace hakuriver::http {

class Connection;

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
constexpr TimePoint kNever = TimePoint::max();

// A key of an epoll event. Connections have keys from kFirstConnection up, never used twice, so an event that another
// worker still holds for a closed connection finds nothing.
using EventKey = std::uint64_t;
constexpr EventKey kStopKey = 0;
constexpr EventKey kTimerKey = 1;
constexpr EventKey kFirstListener = 2;
constexpr EventKey kFirstConnection = 1 << 16;

class Hub {
 public:
  // The members that can be missing where the system refused them; ask is_open().
  Hub(HttpServerOptions options_given, HttpHandler handler_given);
  ~Hub();
  bool is_open() const noexcept;

  const HttpServerOptions options;
  const HttpHandler handler;
  RequestParser parser;
  std::atomic<bool> is_stopping{false};
  std::atomic<std::size_t> unfinished_bytes{0};  // of requests still arriving

  int epoll() const noexcept { return epoll_.get(); }
  bool watch(int fd, EventKey key, std::uint32_t events) noexcept;
  void unwatch(int fd) noexcept;
  // Has some worker look at the connection soon, and whenever it can be written to.
  void kick(int fd, EventKey key) noexcept;
  // Every worker sees the stop key from now on.
  void raise_stop() noexcept;

  // Takes over an accepted socket; closes it where there is no room for it at all.
  void adopt(Descriptor socket, std::string remote_address);
  std::shared_ptr<Connection> find(EventKey key) const;
  void forget(EventKey key);
  std::vector<std::shared_ptr<Connection>> all() const;
  std::size_t count() const noexcept { return count_.load(std::memory_order_relaxed); }
  bool wait_until_empty(std::chrono::milliseconds limit) const;

  // Sees to it that end_overdue() runs at that time or a little later.
  void want_wakeup(TimePoint time) noexcept;
  // For the worker that got the timer's event.
  void end_overdue();

 private:
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<EventKey, std::shared_ptr<Connection>> connections;
  };
  Shard& shard_of(EventKey key) noexcept { return shards_[key % shards_.size()]; }
  const Shard& shard_of(EventKey key) const noexcept { return shards_[key % shards_.size()]; }

  Descriptor epoll_;
  Descriptor stop_event_;
  Descriptor timer_;
  std::array<Shard, 16> shards_;
  std::atomic<EventKey> next_key_{kFirstConnection};
  std::atomic<std::size_t> count_{0};
  mutable std::mutex empty_mutex_;
  mutable std::condition_variable empty_;
  std::mutex timer_mutex_;
  std::atomic<Clock::rep> armed_for_{kNever.time_since_epoch().count()};  // written under timer_mutex_
};

}  // namespace hakuriver::http
