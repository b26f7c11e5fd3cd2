// A server on the loopback, started, with a handler that knows a few paths; and what tests ask of it.
#pragma once

#include <doctest/doctest.h>

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "hakuriver/http.hpp"
#include "http/raw_client.hpp"
#include "http/server.hpp"

namespace hakuriver::test {

// Hands things from a server's thread to the test's.
template <class T>
class Mailbox {
 public:
  void put(T thing) {
    const std::lock_guard lock(mutex_);
    things_.push_back(std::move(thing));
    changed_.notify_all();
  }
  // Waits; fails the test when nothing comes.
  T take() {
    std::unique_lock lock(mutex_);
    REQUIRE(changed_.wait_for(lock, kPatience, [this] { return !things_.empty(); }));
    T thing = std::move(things_.front());
    things_.pop_front();
    return thing;
  }
  std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return things_.size();
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<T> things_;
};

// More than the kernel holds for a client that does not read.
constexpr std::size_t kBigReply = 16 << 20;

using Responders = Mailbox<std::shared_ptr<HttpResponder>>;

// /later keeps the responder, /size tells the body's size, /forget lets the responder die, /throw throws, everything
// else tells what was asked.
class RunningServer {
 public:
  explicit RunningServer(http::HttpServerOptions options = {}) {
    options.listen = {{"127.0.0.1", 0}};
    auto opened = http::HttpServer::open(std::move(options), [this](HttpRequest request, auto responder) {
      answer(std::move(request), std::move(responder));
    });
    REQUIRE(opened);
    server = std::move(*opened);
    REQUIRE(server->start());
  }
  ~RunningServer() { server->stop(); }

  std::uint16_t port() const { return server->ports().front(); }
  RawClient connect() const { return RawClient(port()); }
  // One exchange on a connection of its own.
  RawReply ask(const std::string& text) const {
    auto client = connect();
    client.send(text);
    return client.read();
  }

  Responders kept;
  Mailbox<HttpRequest> seen;  // those that are not answered otherwise
  std::unique_ptr<http::HttpServer> server;

 private:
  void answer(HttpRequest request, std::shared_ptr<HttpResponder> responder) {
    if (request.path == "/later") return kept.put(std::move(responder));
    if (request.path == "/forget") return;
    if (request.path == "/throw") throw std::string("secret path /etc/x");
    if (request.path == "/size") return responder->reply({.body = std::to_string(request.body.size())});
    if (request.path == "/big") return responder->reply({.body = std::string(kBigReply, 'b')});
    responder->reply({.body = request.method + " " + request.path});
    seen.put(std::move(request));
  }
};

}  // namespace hakuriver::test
