// An HTTP/1.1 server for many slow clients and few threads.
//
//   auto server = HttpServer::open({.listen = {{"127.0.0.1", 8000}}}, [](HttpRequest request, auto responder) {
//     responder->reply({.body = "{}"});
//   });
//   (*server)->start();
//
// A connection holds a worker only while its bytes are read or its handler runs: not while it is idle, sends slowly,
// waits for a kept responder, or follows a stream. An idle server makes no wake-ups but to close what idled too long.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "hakuriver/http.hpp"
#include "hakuriver/result.hpp"

namespace hakuriver::http {

struct ListenAddress {
  std::string host = "127.0.0.1";  // a name, an IPv4 or an IPv6 address; a name is listened on at all its addresses
  std::uint16_t port = 0;          // 0: the system chooses
};

struct HttpServerOptions {
  std::vector<ListenAddress> listen{};
  unsigned workers = 4;  // 1 to 256 threads, which run the handlers

  std::size_t max_head = 8 << 10;                // bytes of request line and headers; more is 431 (or 414)
  std::size_t max_path = 2 << 10;                // bytes of the path as sent; more is 414
  std::size_t max_headers = 100;                 // more is 431
  std::size_t max_body = 16 << 20;               // bytes, also of a chunked body; more is 413
  std::size_t max_unfinished_bytes = 256 << 20;  // of all requests still arriving; more is 503
  std::size_t max_connections = 10'000;          // further ones are answered 503
  std::size_t max_unsent = 1 << 20;              // bytes of a stream that its reader leaves unread

  std::chrono::milliseconds head_deadline{10'000};   // from a request's first byte to its empty line
  std::chrono::milliseconds body_deadline{30'000};   // from there to its last byte
  std::chrono::milliseconds idle_deadline{75'000};   // without a request
  std::chrono::milliseconds write_deadline{30'000};  // a reply of which nothing more is taken
  std::chrono::milliseconds stop_grace{1'000};       // for replies under way when the server stops
};

// Requests are answered by the server itself where they break HTTP or a bound (a body {"detail": ...}); all others go
// to the handler, which must not block. `Range` is ignored, and compressed bodies are refused.
class HttpServer {
 public:
  // Binds and listens; connections wait until start(). Errc::invalid_argument for options that cannot be,
  // Errc::unavailable where an address cannot be listened on.
  static Result<std::unique_ptr<HttpServer>> open(HttpServerOptions options, HttpHandler handler);
  // Stops.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // The ports that are bound, one for each listen address, in order.
  const std::vector<std::uint16_t>& ports() const noexcept;

  // Starts the workers. Once; Errc::conflict afterwards.
  Status start();

  // Accepts no more, answers every waiting responder 503, ends the streams (their `gone` is called), gives what is
  // being sent `stop_grace`, and joins the workers. Afterwards no handler runs and responders still held do nothing.
  // From any thread but a worker's.
  void stop() noexcept;

  // Connections that are open now.
  std::size_t connection_count() const;

 private:
  class Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hakuriver::http
