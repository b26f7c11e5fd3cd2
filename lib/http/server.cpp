#include "http/server.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "http/connection.hpp"
#include "http/hub.hpp"
#include "http/listener.hpp"

namespace hakuriver::http {
namespace {

// Events that a worker takes at once. Few, so that no event waits behind a long handler while other workers are free.
constexpr int kEventsAtOnce = 4;
constexpr std::size_t kMaxListeners = 1024;

Status validate(const HttpServerOptions& options) {
  const auto invalid = [](std::string message) { return Error{Errc::invalid_argument, std::move(message)}; };
  if (options.listen.empty()) return invalid("no address to listen on is given");
  if (options.listen.size() > kMaxListeners) return invalid("more than 1024 addresses to listen on");
  if (options.workers < 1 || options.workers > 256) {
    return invalid(std::to_string(options.workers) + " workers: 1 to 256 were expected");
  }
  if (options.max_head < 64 || options.max_connections == 0) return invalid("a limit of the HTTP server is zero");
  return Unit{};
}

}  // namespace

class HttpServer::Impl {
 public:
  Impl(HttpServerOptions options, HttpHandler handler) : hub_(std::move(options), std::move(handler)) {}
  ~Impl() { stop(); }

  Status listen() {
    if (!hub_.is_open()) {
      return Error{Errc::unavailable, "epoll: " + std::generic_category().message(errno)};
    }
    for (const auto& address : hub_.options.listen) {
      auto listener = open_listener(address);
      if (!listener) return listener.error();
      ports.push_back(listener->port);
      for (auto& socket : listener->sockets) sockets_.push_back(std::move(socket));
    }
    return Unit{};
  }

  Status start() {
    const std::lock_guard lock(mutex_);
    if (std::exchange(was_started_, true)) return Error{Errc::conflict, "the HTTP server was started before"};
    for (std::size_t i = 0; i < sockets_.size(); ++i) {
      hub_.watch(sockets_[i].get(), kFirstListener + i, EPOLLIN | EPOLLET);
    }
    try {
      for (unsigned i = 0; i < hub_.options.workers; ++i) workers_.emplace_back([this] { work(); });
    } catch (const std::system_error& error) {
      return Error{Errc::unavailable, "no thread for an HTTP worker: " + error.code().message()};
    }
    return Unit{};
  }

  void stop() noexcept {
    const std::lock_guard lock(mutex_);
    was_started_ = true;
    if (hub_.is_stopping.exchange(true)) return;
    for (auto& socket : sockets_) hub_.unwatch(socket.get());
    for (const auto& connection : hub_.all()) connection->wind_up();
    if (!workers_.empty()) hub_.wait_until_empty(hub_.options.stop_grace);
    hub_.raise_stop();
    for (auto& worker : workers_) worker.join();
    for (const auto& connection : hub_.all()) connection->abandon();
    sockets_.clear();
  }

  std::size_t connection_count() const { return hub_.count(); }

  std::vector<std::uint16_t> ports;

 private:
  void work() {
    std::array<epoll_event, kEventsAtOnce> events{};
    for (bool goes_on = true; goes_on;) {
      const int count = ::epoll_wait(hub_.epoll(), events.data(), kEventsAtOnce, -1);
      for (int i = 0; i < count; ++i) goes_on &= perform(events[static_cast<std::size_t>(i)]);
    }
  }

  // False: the worker shall end.
  bool perform(const epoll_event& event) {
    const EventKey key = event.data.u64;
    if (key == kStopKey) return false;
    if (key == kTimerKey) {
      hub_.end_overdue();
      if (is_accepting_paused_.exchange(false)) accept_everywhere();
    } else if (key < kFirstConnection) {
      accept_all(sockets_[key - kFirstListener].get());
    } else if (const auto connection = hub_.find(key)) {
      connection->on_event(event.events);
    }
    return true;
  }

  void accept_everywhere() {
    for (const auto& socket : sockets_) accept_all(socket.get());
  }

  void accept_all(int listener) {
    while (!hub_.is_stopping) {
      sockaddr_storage address{};
      socklen_t size = sizeof address;
      Descriptor socket(
          ::accept4(listener, reinterpret_cast<sockaddr*>(&address), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (socket.is_open()) {
        hub_.adopt(std::move(socket), address_text(address));
      } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        return pause_accepting();
      } else if (errno != EINTR && errno != ECONNABORTED && errno != EPROTO) {
        return;
      }
    }
  }

  // Out of descriptors: those who wait in the backlog make no further event, so the timer asks again.
  void pause_accepting() {
    is_accepting_paused_ = true;
    hub_.want_wakeup(Clock::now() + std::chrono::milliseconds(200));
  }

  Hub hub_;
  std::vector<Descriptor> sockets_;
  std::atomic<bool> is_accepting_paused_{false};
  std::mutex mutex_;  // guards start and stop
  bool was_started_ = false;
  std::vector<std::thread> workers_;
};

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() = default;

Result<std::unique_ptr<HttpServer>> HttpServer::open(HttpServerOptions options, HttpHandler handler) {
  if (const auto valid = validate(options); !valid) return valid.error();
  auto impl = std::make_unique<Impl>(std::move(options), std::move(handler));
  if (const auto listening = impl->listen(); !listening) return listening.error();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

const std::vector<std::uint16_t>& HttpServer::ports() const noexcept { return impl_->ports; }
Status HttpServer::start() { return impl_->start(); }
void HttpServer::stop() noexcept { impl_->stop(); }
std::size_t HttpServer::connection_count() const { return impl_->connection_count(); }

}  // namespace hakuriver::http
