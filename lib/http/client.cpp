#include "http/client.hpp"

#include <httplib.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "http/call_guard.hpp"
#include "http/reachability.hpp"

#ifndef CPPHTTPLIB_OPENSSL_SUPPORT
#error "compile with pkg-config --cflags cpp-httplib: the flags are part of the library's ABI"
#endif

namespace hakuriver::http {
namespace {

using std::chrono::milliseconds;

// What is kept of a reply that a receiver does not get.
constexpr std::size_t kMaxErrorBody = 1 << 20;

// Of a file that is sent, read at a time.
constexpr std::size_t kFileBlock = 256 << 10;
// What sends a body as it is may wait so long until the host takes more.
constexpr milliseconds kWriteTimeout{5'000};

// httplib sends without MSG_NOSIGNAL, and a host that hangs up must not end the process. The signal of a broken pipe
// goes to the thread that wrote, so it is enough to hold it off here, and to take it back if it came.
class BrokenPipeSignal {
 public:
  BrokenPipeSignal() {
    sigset_t pending;
    ::sigemptyset(&broken_pipe_);
    ::sigaddset(&broken_pipe_, SIGPIPE);
    ::sigpending(&pending);
    was_pending_ = ::sigismember(&pending, SIGPIPE) == 1;
    ::pthread_sigmask(SIG_BLOCK, &broken_pipe_, &before_);
  }
  ~BrokenPipeSignal() {
    const timespec at_once{0, 0};
    if (!was_pending_) ::sigtimedwait(&broken_pipe_, nullptr, &at_once);
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  BrokenPipeSignal(const BrokenPipeSignal&) = delete;
  BrokenPipeSignal& operator=(const BrokenPipeSignal&) = delete;

 private:
  sigset_t broken_pipe_{};
  sigset_t before_{};
  bool was_pending_ = false;
};

bool is_printable(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

bool is_line(std::string_view text) noexcept {
  return std::none_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; });
}

Status validate(const HttpCall& call) {
  if (call.path.empty() || call.path[0] != '/' || !is_printable(call.path)) {
    return Error{Errc::invalid_argument, "'" + call.path + "': a path begins with '/' and is percent-encoded"};
  }
  if (call.method.empty() || !is_printable(call.method)) {
    return Error{Errc::invalid_argument, "'" + call.method + "': an HTTP method was expected"};
  }
  for (const auto& [name, value] : call.headers) {
    if (name.empty() || !is_printable(name) || !is_line(value)) {
      return Error{Errc::invalid_argument, "header '" + name + "' holds control characters"};
    }
  }
  return Unit{};
}

std::optional<std::size_t> declared_length(const httplib::Response& response) {
  const auto text = response.get_header_value("Content-Length");
  std::size_t length = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), length).ec != std::errc()) return std::nullopt;
  return length;
}

// Where the reply of one attempt goes.
struct Reception {
  const HttpReceiver* receiver = nullptr;  // null: the body is collected
  std::size_t max_body = 0;
  HttpReply reply;
  bool is_too_large = false;
  bool was_ended = false;  // by the receiver
  bool has_head = false;

  bool take_head(const httplib::Response& response) {
    has_head = true;
    reply.status = response.status;
    reply.content_type = response.get_header_value("Content-Type");
    for (const auto& [name, value] : response.headers) {
      if (name != "Content-Type") reply.headers.emplace_back(name, value);
    }
    if (response.status / 100 != 2) {
      receiver = nullptr;
    }
    is_too_large = receiver == nullptr && declared_length(response).value_or(0) > max_body;
    return !is_too_large;
  }

  bool take_body(std::string_view bytes) {
    if (receiver != nullptr) {
      was_ended = !(*receiver)(bytes);
      return !was_ended;
    }
    is_too_large = bytes.size() > max_body - reply.body.size();
    if (!is_too_large) reply.body.append(bytes);
    return !is_too_large;
  }
};

}  // namespace

class HttpClient::Impl {
 public:
  Impl(Url base, HttpClientOptions options)
      : url(std::move(base)),
        options_(std::move(options)),
        client_(options_.unix_socket.empty() ? url.host : options_.unix_socket, url.port) {
    if (!options_.unix_socket.empty()) client_.set_address_family(AF_UNIX);
    client_.set_connection_timeout(options_.connect_timeout);
    client_.set_keep_alive(true);
    client_.set_tcp_nodelay(options_.unix_socket.empty());
    client_.set_follow_location(false);
    client_.set_decompress(false);  // a few packed bytes can become gigabytes
    client_.set_url_encode(false);
    client_.set_socket_options([this](socket_t fd) { guard_.use_socket(fd); });
  }

  Result<HttpReply> perform(const HttpCall& call, const HttpReceiver* receiver) {
    if (const auto valid = validate(call); !valid) return valid.error();
    const std::lock_guard lock(mutex_);
    const auto total = call.total_timeout.count() > 0 ? call.total_timeout
                       : receiver != nullptr          ? milliseconds::max()
                                                      : options_.total_timeout;
    const auto now = CallGuard::Clock::now();
    const auto deadline = total == milliseconds::max() ? CallGuard::Clock::time_point::max() : now + total;
    const auto seen = guard_.sockets_seen();
    auto reply = attempt(call, receiver, deadline);
    const bool used_kept_connection = guard_.sockets_seen() == seen;
    if (reply || !call.is_repeatable || !used_kept_connection || !was_cut_) return reply;
    return attempt(call, receiver, deadline);
  }

  void cancel() noexcept { guard_.cancel(); }

  const Url url;

 private:
  // One attempt. Sets was_cut_ where the connection broke before any byte of a reply.
  Result<HttpReply> attempt(const HttpCall& call, const HttpReceiver* receiver, CallGuard::Clock::time_point deadline) {
    was_cut_ = false;
    Reception reception;
    reception.receiver = receiver;
    reception.max_body = receiver != nullptr ? std::min(options_.max_body, kMaxErrorBody) : options_.max_body;
    auto request = to_request(call, reception);
    const auto read_timeout = call.read_timeout.count() > 0 ? call.read_timeout : options_.read_timeout;
    client_.set_read_timeout(read_timeout);
    client_.set_write_timeout(call.body_file >= 0 ? std::max(read_timeout, kWriteTimeout) : kWriteTimeout);
    if (!guard_.begin(deadline)) return unavailable("cancelled");
    const auto error = exchange(request);
    return conclude(error, guard_.end(), reception);
  }

  httplib::Error exchange(httplib::Request& request) {
    const BrokenPipeSignal held_off;
    try {
      httplib::Response response;
      auto error = httplib::Error::Success;
      client_.send(request, response, error);
      return error;
    } catch (const std::bad_alloc&) {
      throw;
    } catch (...) {
      return httplib::Error::Unknown;
    }
  }

  // httplib writes the head and the body one after the other. They are to leave as one segment, where they fit into
  // one: two would wake the host twice.
  void add_body(const HttpCall& call, httplib::Request& request) {
    request.set_header("Content-Type", call.content_type);
    request.content_length_ = call.body.size();
    request.content_provider_ = [this, &call](size_t offset, size_t length, httplib::DataSink& sink) {
      const bool is_written = sink.write(call.body.data() + offset, length);
      guard_.hold_segments(false);
      return is_written;
    };
  }

  // A file that turns out shorter ends the call.
  static void add_file(const HttpCall& call, httplib::Request& request) {
    request.set_header("Content-Type", call.content_type);
    request.content_length_ = call.body_file_size;
    request.content_provider_ = [&call, block = std::vector<char>(kFileBlock)](size_t offset, size_t length,
                                                                               httplib::DataSink& sink) mutable {
      const ssize_t size =
          ::pread(call.body_file, block.data(), std::min(length, block.size()), static_cast<off_t>(offset));
      return size > 0 && sink.write(block.data(), static_cast<std::size_t>(size));
    };
  }

  httplib::Request to_request(const HttpCall& call, Reception& reception) {
    httplib::Request request;
    request.method = call.method;
    request.path = url.path + call.path;
    if (!options_.unix_socket.empty()) request.set_header("Host", url.host);
    request.set_header("User-Agent", "hakuriver");
    request.set_header("Accept-Encoding", "identity");
    if (!options_.token.empty()) request.set_header("Authorization", "Bearer " + options_.token);
    guard_.hold_segments(!call.body.empty());
    if (call.body_file >= 0) {
      add_file(call, request);
    } else if (!call.body.empty()) {
      add_body(call, request);
    }
    for (const auto& [name, value] : call.headers) request.set_header(name, value);
    request.response_handler = [&reception](const httplib::Response& response) {
      return reception.take_head(response);
    };
    request.content_receiver = [&reception](const char* bytes, size_t size, std::uint64_t, std::uint64_t) {
      return reception.take_body({bytes, size});
    };
    return request;
  }

  Result<HttpReply> conclude(httplib::Error error, CallGuard::Ending ending, Reception& reception) {
    if (reception.is_too_large) {
      return Error{Errc::limit,
                   to_string(url) + ": the reply is larger than " + std::to_string(reception.max_body) + " bytes"};
    }
    if (reception.was_ended) return std::move(reception.reply);
    if (ending == CallGuard::Ending::cancelled) return unavailable("cancelled");
    if (ending == CallGuard::Ending::overdue) return unavailable("the call took too long");
    if (error == httplib::Error::Success) return std::move(reception.reply);
    was_cut_ = !reception.has_head && (error == httplib::Error::Read || error == httplib::Error::Write);
    return unavailable(reason_of(error));
  }

  std::string reason_of(httplib::Error error) const {
    switch (error) {
      case httplib::Error::Connection:
        return options_.unix_socket.empty()
                   ? why_unreachable(url, std::min(options_.connect_timeout, milliseconds(1000)))
                   : why_unreachable(options_.unix_socket);
      case httplib::Error::ConnectionTimeout:
        return "connection timed out";
      case httplib::Error::Read:
        return "no whole reply came; the connection was closed, or silent for too long";
      case httplib::Error::Write:
        return "the connection was closed while the request was sent";
      default:
        return "the exchange failed (" + httplib::to_string(error) + ")";
    }
  }

  Error unavailable(std::string_view reason) const {
    const std::string place = options_.unix_socket.empty() ? to_string(url) : "'" + options_.unix_socket + "'";
    return {Errc::unavailable, place + ": " + std::string(reason)};
  }

  const HttpClientOptions options_;
  CallGuard guard_;
  std::mutex mutex_;  // one call at a time
  httplib::ClientImpl client_;
  bool was_cut_ = false;
};

HttpClient::HttpClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpClient::~HttpClient() = default;

Result<std::unique_ptr<HttpClient>> HttpClient::open(Url url, HttpClientOptions options) {
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); };
  if (!std::all_of(options.token.begin(), options.token.end(), is_hex)) {
    return Error{Errc::invalid_argument, "the token must be made of hexadecimal digits"};
  }
  if (options.unix_socket.size() >= sizeof(sockaddr_un::sun_path)) {
    return Error{Errc::invalid_argument, "'" + options.unix_socket + "': the path of a socket has at most 107 bytes"};
  }
  return std::unique_ptr<HttpClient>(new HttpClient(std::make_unique<Impl>(std::move(url), std::move(options))));
}

Result<HttpReply> HttpClient::send(const HttpCall& call) { return impl_->perform(call, nullptr); }

Result<HttpReply> HttpClient::receive(const HttpCall& call, const HttpReceiver& receiver) {
  if (call.method != "GET" && call.method != "POST") {
    return Error{Errc::invalid_argument, "'" + call.method + "': only what GET and POST answer can be received"};
  }
  return impl_->perform(call, &receiver);
}

void HttpClient::cancel() noexcept { impl_->cancel(); }
const Url& HttpClient::url() const noexcept { return impl_->url; }

}  // namespace hakuriver::http
