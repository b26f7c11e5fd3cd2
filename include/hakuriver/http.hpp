// The port between routes and the wire: a request, and a responder that may be used now or later.
//
// A handler never blocks. It answers through its responder at once, or keeps the responder and answers from
// another thread when there is something to say; meanwhile the connection holds no worker.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hakuriver {
inline namespace v1 {

struct HttpRequest {
  std::string method;                                      // upper case
  std::string path;                                        // decoded, begins with '/'
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in order, repeated names kept
  std::map<std::string, std::string> headers;              // names in lower case; the first of repeated ones
  std::string body;
  std::string remote_address;
};

struct HttpReply {
  int status = 200;
  std::string body{};
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers{};  // further ones
};

// A reply that goes on: the head is sent, then whatever is written, until close. Every method may be called from
// any thread and returns at once.
class HttpStream {
 public:
  virtual ~HttpStream() = default;  // closes
  // False when the reader is gone or has more than the bound of unread bytes waiting; the stream is then closed.
  virtual bool write(std::string_view bytes) = 0;
  // True while what was written and not yet sent is below the bound that makes write fail.
  virtual bool has_room() const = 0;
  virtual void close() = 0;
};

// Answers one request, once. Copies share it. When the last copy dies unanswered, 500 is sent.
class HttpResponder {
 public:
  virtual ~HttpResponder() = default;
  virtual void reply(HttpReply reply) = 0;
  // `head.body` is sent first. `gone` is called once, from a thread of the server, when the reader goes away before
  // close; it must not block.
  virtual std::shared_ptr<HttpStream> stream(HttpReply head, std::function<void()> gone) = 0;
  // False once the client has hung up (best effort; a reply to it is dropped).
  virtual bool is_waiting() const = 0;
};

using HttpHandler = std::function<void(HttpRequest, std::shared_ptr<HttpResponder>)>;

}  // namespace v1
}  // namespace hakuriver
