// What a hostile or broken client may try, and what it gets.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "http/running_server.hpp"

using namespace hakuriver;
using namespace hakuriver::http;
using namespace hakuriver::test;

namespace {

const std::string kGet = "GET / HTTP/1.1\r\nHost: h\r\n";
const std::string kPost = "POST /size HTTP/1.1\r\nHost: h\r\n";

std::string repeated(const std::string& text, int count) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

}  // namespace

TEST_CASE("requests that break a bound are refused, the connection closed, and nobody else notices") {
  RunningServer running;
  auto bystander = running.connect();
  struct Row {
    const char* what;
    std::string text;
    int status;
  };
  const std::vector<Row> rows{
      {"a path made for a backtracking pattern", "GET /alt/" + std::string(8000, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n",
       414},
      {"a path a little too long", "GET /" + std::string(2048, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n", 414},
      {"an endless request line", "GET /" + std::string(100'000, 'a'), 414},
      {"an endless header line", kGet + "A: " + std::string(1'000'000, 'a'), 431},
      {"headers without number", kGet + repeated("A: b\r\n", 500) + "\r\n", 431},
      {"short headers without end", kGet + repeated("A:\r\n", 500'000), 431},
      {"a packed body", kPost + "Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", 415},
      {"a packed body in chunks", kPost + "Content-Encoding: br\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 415},
      {"encoded line ends in a header", kGet + "X-A: a%0d%0aSet-Cookie: evil\r\n\r\n", 400},
      {"a body announced too large", kPost + "Content-Length: 16777217\r\n\r\n", 413},
      {"a chunk announced too large", kPost + "Transfer-Encoding: chunked\r\n\r\nfffffffff\r\n", 413},
      {"two lengths", kPost + "Content-Length: 1\r\nContent-Length: 2\r\n\r\na", 400},
      {"a length and chunks", kPost + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"not HTTP", "\x16\x03\x01\x02 hello\r\n\r\n", 400},
      {"no Host", "GET / HTTP/1.1\r\n\r\n", 400},
  };
  for (const auto& row : rows) {
    CAPTURE(row.what);
    auto client = running.connect();
    client.send(row.text);
    const auto reply = client.read();
    CHECK(reply.status() == row.status);
    CHECK(reply.body.find("{\"detail\":\"") == 0);
    CHECK(reply.has("Connection: close"));
    CHECK(client.is_closed());
  }
  bystander.get("/still");
  CHECK(bystander.read().body == "GET /still");
  running.seen.take();
  CHECK(running.seen.size() == 0);
}

TEST_CASE("a range bomb is ignored") {
  RunningServer running;
  const auto reply = running.ask(kGet + "Range: bytes=" + repeated("0-,", 2000) + "0-\r\n\r\n");
  CHECK(reply.status() == 200);
  CHECK(reply.body == "GET /");
}

TEST_CASE("a chunked body is cut off at the bound, and the client learns why") {
  RunningServer running({.max_body = 1 << 20});
  auto client = running.connect();
  client.send(kPost + "Transfer-Encoding: chunked\r\n\r\n");
  const std::string chunk = "10000\r\n" + std::string(65536, 'c') + "\r\n";
  for (int i = 0; i < 100; ++i) client.send(chunk);
  CHECK(client.read().status() == 413);
}

TEST_CASE("unfinished requests may not take all memory together") {
  RunningServer running({.max_unfinished_bytes = 256 << 10});
  auto first = running.connect();
  auto second = running.connect();
  const std::string most = kPost + "Content-Length: 250000\r\n\r\n" + std::string(249'999, 'x');
  first.send(most);
  second.send(most);
  CHECK(eventually([&] { return first.has_input() || second.has_input(); }));
  auto& refused = first.has_input() ? first : second;
  const auto reply = refused.read();
  CHECK(reply.status() == 503);
  CHECK(reply.has("Retry-After: "));
  first.hang_up();
  second.hang_up();
  CHECK(eventually([&] { return running.server->connection_count() == 0; }));
  CHECK(running.ask(most + "x").body == "250000");
}

TEST_CASE("slow heads, slow bodies and idle connections are ended at their deadlines") {
  using std::chrono::milliseconds;
  RunningServer running(
      {.head_deadline = milliseconds(150), .body_deadline = milliseconds(150), .idle_deadline = milliseconds(300)});
  auto slow_head = running.connect();
  auto slow_body = running.connect();
  auto idle = running.connect();
  slow_head.send("GET / HTTP/1.1\r\nA");
  slow_body.send(kPost + "Content-Length: 3\r\n\r\na");
  CHECK(slow_head.read().status() == 408);
  CHECK(slow_body.read().status() == 408);
  CHECK(idle.is_closed());
  auto waiting = running.connect();
  waiting.get("/later");
  const auto responder = running.kept.take();
  CHECK(running.connect().is_closed());  // takes as long as an idle connection lives
  CHECK(responder->is_waiting());
  responder->reply({.body = "in time"});
  CHECK(waiting.read().body == "in time");
}

TEST_CASE("bytes that drip do not move a deadline") {
  RunningServer running({.head_deadline = std::chrono::milliseconds(300)});
  auto client = running.connect();
  std::string said = "GET / HTTP/1.1\r\nHost: h\r\nA: ";
  const auto start = std::chrono::steady_clock::now();
  const auto is_over = [&] { return !client.send("a"); };
  client.send(said);
  CHECK(eventually(is_over));
  CHECK(std::chrono::steady_clock::now() - start < kPatience);
}

TEST_CASE("connections over the limit are told 503, and the next one after a hang-up is served") {
  RunningServer running({.max_connections = 2});
  auto first = running.connect();
  auto second = running.connect();
  first.get("/1");
  second.get("/2");
  CHECK(first.read().status() == 200);
  CHECK(second.read().status() == 200);
  auto third = running.connect();
  third.get("/3");
  const auto refused = third.read();
  CHECK(refused.status() == 503);
  CHECK(refused.has("Retry-After: "));
  CHECK(third.is_closed());
  third.hang_up();
  first.hang_up();
  CHECK(eventually([&] { return running.server->connection_count() == 1; }));
  CHECK(running.ask(kGet + "\r\n").status() == 200);
}

TEST_CASE("a reply that nobody takes is given up") {
  RunningServer running({.write_deadline = std::chrono::milliseconds(100)});
  RawClient client(running.port(), 4096);
  client.get("/big");
  CHECK(client.read_head().status() == 200);
  CHECK(eventually([&] { return running.server->connection_count() == 0; }));
  CHECK(client.read_all().size() < kBigReply);
}
