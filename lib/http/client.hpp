// An HTTP client for one host: keep-alive, bounded, and never stuck.
//
//   auto client = HttpClient::open(*parse_url("http://127.0.0.1:8000"), {.token = token});
//   const auto reply = (*client)->send({.method = "GET", .path = "/nodes", .is_repeatable = true});
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hakuriver/http.hpp"
#include "hakuriver/result.hpp"
#include "http/url.hpp"

namespace hakuriver::http {

struct HttpClientOptions {
  std::string unix_socket{};  // the path of a Unix socket to connect to; the URL then only says what is asked for
  std::string token{};        // sent as a bearer token; empty: none
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds read_timeout{30'000};    // without a byte from the host
  std::chrono::milliseconds total_timeout{300'000};  // of a whole call
  std::size_t max_body = 64 << 20;                   // bytes of a reply's body
};

// One call. A duration of zero means the client's.
struct HttpCall {
  std::string method = "GET";
  std::string path = "/";  // with its query, encoded; begins with '/'
  std::string body{};
  // Where it is not -1, the body is so many bytes from the beginning of this open file instead, however many.
  int body_file = -1;
  std::uint64_t body_file_size = 0;
  std::string content_type = "application/json";  // of the body, if there is one
  std::vector<std::pair<std::string, std::string>> headers{};
  std::chrono::milliseconds read_timeout{0};
  std::chrono::milliseconds total_timeout{0};
  // The host may do it twice without harm. Then a call that died on a connection kept from earlier, which the host
  // may just have closed, is made once more on a fresh one.
  bool is_repeatable = false;
};

// Takes the next bytes of a body; false ends the call.
using HttpReceiver = std::function<bool(std::string_view bytes)>;

// Threads may share a client, but their calls wait for one another: have one for each long poll.
class HttpClient {
 public:
  // Does not connect yet. Errc::invalid_argument for a token that is not made of hexadecimal digits.
  static Result<std::unique_ptr<HttpClient>> open(Url url, HttpClientOptions options = {});
  // Not while a call is under way.
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // The reply, whatever its status; redirects are not followed. Errc::unavailable where there was no reply: one line
  // with the URL and the reason. Errc::limit where the body is larger than max_body.
  Result<HttpReply> send(const HttpCall& call);

  // GET or POST, the body given to `receiver` as it comes, without a bound on its size or, unless the call has one, on
  // the whole time. A status other than 2xx gives nothing to the receiver: its body is in the reply.
  Result<HttpReply> receive(const HttpCall& call, const HttpReceiver& receiver);

  // From any thread: the call under way and all later ones end at once with Errc::unavailable.
  void cancel() noexcept;

  const Url& url() const noexcept;

 private:
  class Impl;
  explicit HttpClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hakuriver::http
