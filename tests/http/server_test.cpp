#include "http/server.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "http/running_server.hpp"

using namespace hakuriver;
using namespace hakuriver::http;
using namespace hakuriver::test;

TEST_CASE("a request reaches the handler as it was sent, and its reply comes back") {
  RunningServer running;
  const auto reply = running.ask(
      "POST /a%2Fb?x=1 HTTP/1.1\r\nHost: h\r\nREMOTE_ADDR: 6.6.6.6\r\nRange: bytes=0-1\r\nContent-Length: "
      "5\r\n\r\nhello");
  CHECK(reply.status() == 200);
  CHECK(reply.body == "POST /a/b");
  const auto request = running.seen.take();
  CHECK(request.body == "hello");
  CHECK(request.query == std::vector<std::pair<std::string, std::string>>{{"x", "1"}});
  CHECK(request.remote_address == "127.0.0.1");
  CHECK(request.headers.count("remote_addr") == 0);
  CHECK(request.headers.count("range") == 0);
}

TEST_CASE("a connection is kept for as many requests as come") {
  RunningServer running;
  auto client = running.connect();
  for (int i = 0; i < 200; ++i) {
    client.get("/n" + std::to_string(i));
    CHECK(client.read().body == "GET /n" + std::to_string(i));
  }
  CHECK(running.server->connection_count() == 1);
}

TEST_CASE("requests sent ahead are all answered, in order") {
  RunningServer running;
  for (const int count : {5, 500}) {
    auto client = running.connect();
    std::string text;
    for (int i = 0; i < count; ++i) text += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: h\r\n\r\n";
    client.send(text);
    for (int i = 0; i < count; ++i) REQUIRE(client.read().body == "GET /" + std::to_string(i));
  }
}

TEST_CASE("requests sent ahead wait for the reply before them, whichever thread gives it") {
  RunningServer running;
  auto client = running.connect();
  client.send(
      "GET /later HTTP/1.1\r\nHost: h\r\n\r\nGET /later HTTP/1.1\r\nHost: h\r\n\r\nGET /3 HTTP/1.1\r\nHost: h\r\n\r\n");
  running.kept.take()->reply({.body = "1"});
  running.kept.take()->reply({.body = "2"});
  CHECK(client.read().body == "1");
  CHECK(client.read().body == "2");
  CHECK(client.read().body == "GET /3");
}

TEST_CASE("HEAD has the head of GET and no body") {
  RunningServer running;
  auto client = running.connect();
  client.send("HEAD /size HTTP/1.1\r\nHost: h\r\n\r\n");
  const auto reply = client.read_head();
  CHECK(reply.status() == 200);
  CHECK(reply.has("Content-Length: 1"));
  client.get("/next");
  CHECK(client.read().body == "GET /next");
}

TEST_CASE("the connection ends when the client says so, and with HTTP/1.0 unless it says otherwise") {
  RunningServer running;
  struct Row {
    std::string text;
    bool stays;
  };
  for (const auto& row : std::vector<Row>{
           {"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", false},
           {"GET / HTTP/1.0\r\n\r\n", false},
           {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true},
       }) {
    CAPTURE(row.text);
    auto client = running.connect();
    client.send(row.text);
    const auto reply = client.read();
    CHECK(reply.body == "GET /");
    CHECK(reply.has("Connection: close") != row.stays);
    if (row.stays) {
      client.get("/next");
      CHECK(client.read().body == "GET /next");
    } else {
      CHECK(client.is_closed());
    }
  }
  CHECK(eventually([&] { return running.server->connection_count() == 0; }));
}

TEST_CASE("a sender that waits for 100 Continue gets it") {
  RunningServer running;
  auto client = running.connect();
  client.send("POST /size HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  CHECK(client.read().status() == 100);
  client.send("hello");
  CHECK(client.read().body == "5");
}

TEST_CASE("bodies up to the bound arrive whole, in both framings") {
  RunningServer running;
  auto client = running.connect();
  const std::string body(16 << 20, 'x');
  client.send("POST /size HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  CHECK(client.read().body == std::to_string(body.size()));
  client.send("POST /size HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1000000\r\n" + body +
              "\r\n0\r\n\r\n");
  CHECK(client.read().body == std::to_string(body.size()));
  client.send(
      "POST /size HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: "
      "9000\r\n\r\n" +
      std::string(9000, 'f'));
  CHECK(client.read().body == "9000");
}

TEST_CASE("a large reply goes out as fast as the client takes it") {
  RunningServer running;
  RawClient client(running.port(), 4096);
  client.get("/big");
  client.get("/next");
  CHECK(client.read().body.size() == kBigReply);
  CHECK(client.read().body == "GET /next");
}

TEST_CASE("a handler that throws or forgets its responder is 500, and its words stay inside") {
  RunningServer running;
  auto client = running.connect();
  for (const std::string path : {"/throw", "/forget", "/throw"}) {
    client.get(path);
    const auto reply = client.read();
    CHECK(reply.status() == 500);
    CHECK(reply.body == R"({"detail":"internal error"})");
    CHECK_FALSE(reply.has("secret"));
    CHECK_FALSE(reply.has("EXCEPTION"));
  }
}

TEST_CASE("a reply that would split is 500") {
  RunningServer running;
  auto client = running.connect();
  client.get("/later");
  running.kept.take()->reply({.headers = {{"Location", "a\r\nSet-Cookie: evil"}}});
  const auto reply = client.read();
  CHECK(reply.status() == 500);
  CHECK_FALSE(reply.has("evil"));
}

TEST_CASE("every listen address has its port, and names and IPv6 are listened on") {
  auto server = HttpServer::open({.listen = {{"127.0.0.1", 0}, {"localhost", 0}, {"::1", 0}}},
                                 [](HttpRequest, auto responder) { responder->reply({.body = "here"}); });
  if (!server && server.error().message.find("::1") != std::string::npos) {
    MESSAGE("without IPv6, which this machine lacks: ", server.error().message);
    server = HttpServer::open({.listen = {{"127.0.0.1", 0}, {"localhost", 0}}},
                              [](HttpRequest, auto responder) { responder->reply({.body = "here"}); });
  }
  REQUIRE(server);
  REQUIRE((*server)->start());
  for (std::size_t i = 0; i < 2; ++i) {
    RawClient client((*server)->ports()[i]);
    client.get("/");
    CHECK(client.read().body == "here");
  }
}

TEST_CASE("what cannot be opened is told in one line") {
  const auto nothing = [](HttpRequest, auto) {};
  RunningServer running;
  const auto taken = HttpServer::open({.listen = {{"127.0.0.1", running.port()}}}, nothing);
  REQUIRE_FALSE(taken);
  CHECK(taken.error().code == Errc::unavailable);
  CHECK(taken.error().message ==
        "cannot listen on '127.0.0.1' port " + std::to_string(running.port()) + ": Address already in use");
  CHECK(HttpServer::open({.listen = {{"no.such.name.invalid", 0}}}, nothing).error().code == Errc::unavailable);
  CHECK(HttpServer::open({.listen = {}}, nothing).error().code == Errc::invalid_argument);
  CHECK(HttpServer::open({.listen = {{}}, .workers = 0}, nothing).error().code == Errc::invalid_argument);
  CHECK(running.server->start().error().code == Errc::conflict);
}
