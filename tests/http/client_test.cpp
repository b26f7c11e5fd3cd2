#include "http/client.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>

#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "http/listener.hpp"
#include "http/running_server.hpp"

using namespace hakuriver;
using namespace hakuriver::http;
using namespace hakuriver::test;
using std::chrono::milliseconds;

namespace {

std::unique_ptr<HttpClient> client_for(std::uint16_t port, HttpClientOptions options = {}) {
  auto client = HttpClient::open({"127.0.0.1", port, ""}, std::move(options));
  REQUIRE(client);
  return std::move(*client);
}

// What one connection answers, request by request, before it is closed; an empty text closes without an answer.
using Script = std::vector<std::string>;

// A server that serves each connection by the next script, whatever is asked.
class ScriptedServer {
 public:
  explicit ScriptedServer(std::vector<Script> scripts) : listener_(open()) {
    thread_ = std::thread([this, scripts = std::move(scripts)] {
      for (const auto& script : scripts) serve(script);
    });
  }
  ~ScriptedServer() {
    ::shutdown(listener_.sockets.front().get(), SHUT_RDWR);
    thread_.join();
  }
  std::uint16_t port() const { return listener_.port; }

  // What came first of each request so far. To be looked at once the answers are there.
  std::vector<std::string> first_pieces;

 private:
  static Listener open() {
    auto listener = open_listener({"127.0.0.1", 0});
    REQUIRE(listener);
    const int fd = listener->sockets.front().get();
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    return std::move(*listener);
  }

  void serve(const Script& script) {
    const Descriptor socket(::accept(listener_.sockets.front().get(), nullptr, nullptr));
    for (const auto& text : script) {
      if (!read_request(socket.get())) return;
      ::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL);
    }
  }

  bool read_request(int fd) {
    std::string request;
    std::array<char, 4096> buffer{};
    while (request.find("\r\n\r\n") == std::string::npos) {
      const auto size = ::recv(fd, buffer.data(), buffer.size(), 0);
      if (size <= 0) return false;
      request.append(buffer.data(), static_cast<std::size_t>(size));
      if (request.size() == static_cast<std::size_t>(size)) first_pieces.push_back(request);
    }
    return true;
  }

  Listener listener_;
  std::thread thread_;
};

}  // namespace

TEST_CASE("a call carries its method, path, query, body, headers and token, and brings back the reply") {
  RunningServer running;
  const auto client = client_for(running.port(), {.token = "00ff"});
  const auto reply =
      client->send({.method = "PUT", .path = "/a%2Bb?q=x%20y+z,w", .body = "{}", .headers = {{"X-A", "b"}}});
  REQUIRE(reply);
  CHECK(reply->status == 200);
  CHECK(reply->body == "PUT /a+b");
  CHECK(reply->content_type == "application/json");
  const auto request = running.seen.take();
  CHECK(request.body == "{}");
  CHECK(request.query == std::vector<std::pair<std::string, std::string>>{{"q", "x y z,w"}});
  CHECK(request.headers.at("authorization") == "Bearer 00ff");
  CHECK(request.headers.at("x-a") == "b");
  CHECK(request.headers.at("host") == "127.0.0.1:" + std::to_string(running.port()));
}

TEST_CASE("calls share one connection, and every status is a reply") {
  RunningServer running;
  const auto client = client_for(running.port());
  for (int i = 0; i < 20; ++i) CHECK(client->send({.path = "/n"}));
  CHECK(client->send({.path = "/throw"})->status == 500);
  CHECK(client->send({.method = "HEAD", .path = "/x"})->body.empty());
  CHECK(client->send({.method = "POST", .path = "/size", .body = std::string(100'000, 'x')})->body == "100000");
  CHECK(client->send({.path = "/big"})->body.size() == kBigReply);
  CHECK(running.server->connection_count() == 1);
}

TEST_CASE("head and body of a call arrive together, on a new connection and on a kept one") {
  const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  ScriptedServer server({Script{ok, ok, ok}});
  const auto client = client_for(server.port());
  CHECK(client->send({.method = "POST", .path = "/1", .body = "the first body"}));
  CHECK(client->send({.path = "/2"}));
  CHECK(client->send({.method = "POST", .path = "/3", .body = "the last body"}));
  REQUIRE(server.first_pieces.size() == 3);
  CHECK(server.first_pieces[0].ends_with("\r\n\r\nthe first body"));
  CHECK(server.first_pieces[1].ends_with("\r\n\r\n"));
  CHECK(server.first_pieces[2].ends_with("\r\n\r\nthe last body"));
}

TEST_CASE("a host that is not there is named in one line") {
  std::uint16_t port = 0;
  {
    const RunningServer running;
    port = running.port();
  }
  const auto refused = client_for(port)->send({});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::unavailable);
  CHECK(refused.error().message ==
        "http://127.0.0.1:" + std::to_string(port) + ": connection refused; is the host running?");
  const auto unknown = (*HttpClient::open({"no.such.name.invalid", 8000, ""}))->send({});
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().code == Errc::unavailable);
  CHECK(unknown.error().message.find("http://no.such.name.invalid:8000: ") == 0);
}

TEST_CASE("a call that dies on a kept connection is made once more, if it may be repeated") {
  const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  for (const bool is_repeatable : {true, false}) {
    CAPTURE(is_repeatable);
    ScriptedServer server({Script{ok, ""}, Script{ok}});
    const auto client = client_for(server.port());
    CHECK(client->send({.path = "/1"}));
    const auto second = client->send({.path = "/2", .is_repeatable = is_repeatable});
    CHECK(second.has_value() == is_repeatable);
    if (!is_repeatable) CHECK(client->send({.path = "/3"}));  // by the second connection
  }
}

TEST_CASE("a call that dies on a fresh connection is not made again") {
  ScriptedServer server({Script{""}, Script{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"}});
  const auto client = client_for(server.port());
  CHECK_FALSE(client->send({.path = "/1", .is_repeatable = true}));
  CHECK(client->send({.path = "/2", .is_repeatable = true}));
}

TEST_CASE("after a host's restart the next call reaches the new one") {
  const std::string closing = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
  ScriptedServer server({Script{closing}, Script{closing}, Script{closing}});
  const auto client = client_for(server.port());
  for (int i = 0; i < 3; ++i) CHECK(client->send({}));
}

TEST_CASE("a long poll is answered when there is something to say, and ends at its own timeout when not") {
  RunningServer running;
  const auto client = client_for(running.port());
  auto reply = std::async(std::launch::async, [&] { return client->send({.path = "/later"}); });
  running.kept.take()->reply({.body = "news"});
  CHECK(reply.get()->body == "news");
  const auto silent = client->send({.path = "/later", .read_timeout = milliseconds(50)});
  REQUIRE_FALSE(silent);
  CHECK(silent.error().code == Errc::unavailable);
  CHECK(client->send({.path = "/n"})->status == 200);
}

TEST_CASE("a whole call is bounded, however often a byte comes") {
  RunningServer running;
  const auto client = client_for(running.port(), {.total_timeout = milliseconds(200)});
  auto reply = std::async(std::launch::async, [&] { return client->send({.path = "/later"}); });
  const auto stream = running.kept.take()->stream({}, nullptr);
  CHECK(eventually([&] { return !stream->write("."); }));
  const auto result = reply.get();
  REQUIRE_FALSE(result);
  CHECK(result.error().message.find(": the call took too long") != std::string::npos);
  CHECK(client->send({.path = "/n"})->status == 200);
}

TEST_CASE("cancel ends a blocked call at once, and all later ones") {
  RunningServer running;
  const auto client = client_for(running.port());
  auto reply = std::async(std::launch::async, [&] { return client->send({.path = "/later"}); });
  const auto responder = running.kept.take();
  client->cancel();
  const auto result = reply.get();
  REQUIRE_FALSE(result);
  CHECK(result.error().code == Errc::unavailable);
  CHECK(result.error().message.find("cancelled") != std::string::npos);
  CHECK(eventually([&] { return !responder->is_waiting(); }));
  CHECK_FALSE(client->send({.path = "/n"}));
}

TEST_CASE("cancel ends a call that is still connecting") {
  // A listener whose backlog is full lets further connections wait.
  auto listener = open_listener({"127.0.0.1", 0});
  REQUIRE(listener);
  ::listen(listener->sockets.front().get(), 0);
  std::vector<Descriptor> fillers;
  for (int i = 0; i < 8; ++i) {
    fillers.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(listener->port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::connect(fillers.back().get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }
  const auto client = client_for(listener->port, {.connect_timeout = milliseconds(60'000)});
  auto reply = std::async(std::launch::async, [&] { return client->send({}); });
  client->cancel();
  REQUIRE(reply.wait_for(kPatience) == std::future_status::ready);
  CHECK_FALSE(reply.get());
}

TEST_CASE("a stream is received as it comes, until either side has enough") {
  RunningServer running;
  const auto client = client_for(running.port());
  Mailbox<std::string> pieces;
  auto done = std::async(std::launch::async, [&] {
    return client->receive({.path = "/later"}, [&](std::string_view bytes) {
      pieces.put(std::string(bytes));
      return bytes != "enough";
    });
  });
  const auto stream = running.kept.take()->stream({.content_type = "text/plain"}, nullptr);
  for (const std::string text : {"one", "two", "enough"}) {
    stream->write(text);
    CHECK(pieces.take() == text);
  }
  const auto reply = done.get();
  REQUIRE(reply);
  CHECK(reply->status == 200);
  CHECK(reply->body.empty());
  CHECK(eventually([&] { return !stream->write("more"); }));
}

TEST_CASE("a receiver gets nothing of an error, whose body is in the reply") {
  RunningServer running;
  const auto client = client_for(running.port());
  bool was_called = false;
  const auto reply = client->receive({.path = "/throw"}, [&](std::string_view) { return was_called = true; });
  REQUIRE(reply);
  CHECK(reply->status == 500);
  CHECK(reply->body == R"({"detail":"internal error"})");
  CHECK_FALSE(was_called);
  CHECK_FALSE(client->receive({.method = "PUT"}, [](std::string_view) { return true; }));
}

TEST_CASE("replies larger than the bound are refused, announced or not") {
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  const std::string large(1001, 'x');
  ScriptedServer server({Script{ok + "Content-Length: 1001\r\n\r\n" + large},
                         Script{ok + "Content-Length: 99999999999999\r\n\r\n"},
                         Script{ok + "Transfer-Encoding: chunked\r\n\r\n3e9\r\n" + large + "\r\n0\r\n\r\n"},
                         Script{ok + "Content-Length: 1000\r\n\r\n" + large.substr(1)}});
  const auto client = client_for(server.port(), {.max_body = 1000});
  for (int i = 0; i < 3; ++i) {
    const auto reply = client->send({});
    REQUIRE_FALSE(reply);
    CHECK(reply.error().code == Errc::limit);
  }
  CHECK(client->send({})->body.size() == 1000);
}

TEST_CASE("a host that hangs up without a word is unavailable, and does not end the process") {
  ::signal(SIGPIPE, SIG_DFL);
  ScriptedServer server(
      {Script{""}, Script{"nonsense\r\n\r\n"}, Script{"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort"}});
  const auto client = client_for(server.port());
  for (int i = 0; i < 3; ++i) {
    const auto reply = client->send({.method = "POST", .body = std::string(1 << 20, 'x')});
    REQUIRE_FALSE(reply);
    CHECK(reply.error().code == Errc::unavailable);
  }
}

TEST_CASE("calls that could not be sent as they are given are refused") {
  const auto client = client_for(1);
  for (const auto& call : std::vector<HttpCall>{{.path = ""},
                                                {.path = "x"},
                                                {.path = "/a b"},
                                                {.path = "/a\r\nb"},
                                                {.method = ""},
                                                {.method = "GET /"},
                                                {.headers = {{"A", "b\r\nC: d"}}},
                                                {.headers = {{"", "b"}}}}) {
    CHECK(client->send(call).error().code == Errc::invalid_argument);
  }
  CHECK_FALSE(HttpClient::open({"h", 1, ""}, {.token = "not hex"}));
}
