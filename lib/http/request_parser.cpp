#include "http/request_parser.hpp"

#include <httplib.h>
#include <signal.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "http/url.hpp"

#ifndef CPPHTTPLIB_OPENSSL_SUPPORT
#error "compile with pkg-config --cflags cpp-httplib: the flags are part of the library's ABI"
#endif

namespace hakuriver::http {
namespace {

// Hands a head to httplib from memory, and lets what httplib would answer fall: replies are sent by the connection.
class HeadStream final : public httplib::Stream {
 public:
  explicit HeadStream(std::string_view head) : head_(head) {}

  bool is_readable() const override { return !head_.empty(); }
  bool is_writable() const override { return true; }
  ssize_t read(char* out, size_t size) override {
    const auto taken = head_.copy(out, size);
    head_.remove_prefix(taken);
    return static_cast<ssize_t>(taken);
  }
  ssize_t write(const char* /*bytes*/, size_t size) override { return static_cast<ssize_t>(size); }
  void get_remote_ip_and_port(std::string& /*address*/, int& port) const override { port = 0; }
  void get_local_ip_and_port(std::string& /*address*/, int& port) const override { port = 0; }
  socket_t socket() const override { return INVALID_SOCKET; }

 private:
  std::string_view head_;
};

bool has_control(std::string_view text) noexcept {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\t') || byte == 0x7f;
  });
}

// Added by httplib itself; the client's own lines of these names never get as far as here.
bool is_address_record(std::string_view name) noexcept {
  return name == "REMOTE_ADDR" || name == "REMOTE_PORT" || name == "LOCAL_ADDR" || name == "LOCAL_PORT";
}

std::string to_lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return text;
}

Status read_target(std::string_view target, HttpRequest& request) {
  target = target.substr(0, target.find('#'));
  const auto mark = target.find('?');
  auto path = decode_percent(target.substr(0, mark));
  if (!path || has_control(*path)) return Error{Errc::parse, "the path is not well percent-encoded"};
  request.path = std::move(*path);
  if (mark == std::string_view::npos) return Unit{};
  auto query = parse_query(target.substr(mark + 1));
  if (!query) return std::move(query.error());
  request.query = std::move(*query);
  return Unit{};
}

Result<HttpRequest> to_request(httplib::Request& parsed) {
  HttpRequest request;
  request.method = std::move(parsed.method);
  if (const auto target = read_target(parsed.target, request); !target) return target.error();
  for (auto& [name, value] : parsed.headers) {
    if (is_address_record(name)) continue;
    // httplib decodes percent escapes in header values, so a line end can appear that no scan of the text could see.
    if (has_control(value)) return Error{Errc::parse, "a header's value holds encoded control characters"};
    request.headers.try_emplace(to_lower(name), std::move(value));
  }
  return request;
}

}  // namespace

class RequestParser::Impl : private httplib::Server {
 public:
  // Every request is handled before httplib looks for a route: it has none, so none of its patterns ever runs.
  Impl() {
    set_pre_routing_handler(
        [](const httplib::Request&, httplib::Response&) { return httplib::Server::HandlerResponse::Handled; });
    set_exception_handler([](const httplib::Request&, httplib::Response&, std::exception_ptr) {});
  }

  Result<HttpRequest> parse(std::string_view head) {
    std::optional<Result<HttpRequest>> request;
    HeadStream stream(head);
    bool is_closed = false;
    try {
      process_request(stream, false, is_closed,
                      [&request](httplib::Request& parsed) { request.emplace(to_request(parsed)); });
    } catch (const std::bad_alloc&) {
      throw;
    } catch (...) {
      return Error{Errc::parse, "the request could not be understood"};
    }
    if (!request) return Error{Errc::parse, "the request could not be understood"};
    return std::move(*request);
  }
};

// httplib's constructor has the whole process ignore SIGPIPE. That is not ours to decide, so it is put back.
RequestParser::RequestParser() {
  struct sigaction before {};
  ::sigaction(SIGPIPE, nullptr, &before);
  impl_ = std::make_unique<Impl>();
  ::sigaction(SIGPIPE, &before, nullptr);
}
RequestParser::~RequestParser() = default;

Result<HttpRequest> RequestParser::parse(std::string_view head) { return impl_->parse(head); }

}  // namespace hakuriver::http
