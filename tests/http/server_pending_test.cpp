// Responders that are kept and answered later, and a server that stops.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "http/running_server.hpp"

using namespace hakuriver;
using namespace hakuriver::http;
using namespace hakuriver::test;

TEST_CASE("five hundred waiting requests hold no worker and are answered by another thread") {
  constexpr int kCount = 500;
  RunningServer running({.workers = 2});
  std::vector<RawClient> clients;
  for (int i = 0; i < kCount; ++i) {
    clients.push_back(running.connect());
    clients.back().get("/later");
  }
  CHECK(eventually([&] { return running.kept.size() == kCount; }));
  CHECK(running.ask("GET /fresh HTTP/1.1\r\nHost: h\r\n\r\n").body == "GET /fresh");
  std::thread owner([&] {
    for (int i = 0; i < kCount; ++i) running.kept.take()->reply({.status = 202, .body = "done"});
  });
  int answered = 0;
  for (auto& client : clients) answered += client.read().body == "done" ? 1 : 0;
  owner.join();
  CHECK(answered == kCount);
  clients.front().get("/again");
  CHECK(clients.front().read().body == "GET /again");
}

TEST_CASE("a responder knows when its client has hung up, and its reply is dropped") {
  RunningServer running;
  auto client = running.connect();
  client.get("/later");
  const auto responder = running.kept.take();
  CHECK(responder->is_waiting());
  client.hang_up();
  CHECK(eventually([&] { return !responder->is_waiting(); }));
  responder->reply({.body = "too late"});
  CHECK(eventually([&] { return running.server->connection_count() == 0; }));
}

TEST_CASE("only the first answer of a responder counts") {
  RunningServer running;
  auto client = running.connect();
  client.get("/later");
  const auto responder = running.kept.take();
  responder->reply({.body = "first"});
  CHECK_FALSE(responder->is_waiting());
  responder->reply({.body = "second"});
  CHECK_FALSE(responder->stream({}, nullptr)->write("third"));
  client.get("/next");
  CHECK(client.read().body == "first");
  CHECK(client.read().body == "GET /next");
}

TEST_CASE("the last copy of a responder that dies unanswered is 500") {
  RunningServer running;
  auto client = running.connect();
  client.get("/later");
  auto responder = running.kept.take();
  auto copy = responder;
  responder.reset();
  CHECK(copy->is_waiting());
  copy.reset();
  CHECK(client.read().status() == 500);
}

TEST_CASE("many threads may answer one connection's requests in turn") {
  RunningServer running;
  std::atomic<bool> is_done{false};
  std::vector<std::thread> owners;
  std::mutex mutex;
  for (int i = 0; i < 3; ++i) {
    owners.emplace_back([&] {
      while (!is_done) {
        std::shared_ptr<HttpResponder> responder;
        {
          const std::lock_guard lock(mutex);
          if (running.kept.size() > 0) responder = running.kept.take();
        }
        if (responder) responder->reply({.body = "done"});
        std::this_thread::yield();
      }
    });
  }
  auto client = running.connect();
  int answered = 0;
  for (int i = 0; i < 200; ++i) {
    client.get("/later");
    client.get("/inline");
    answered += client.read().body == "done" ? 1 : 0;
    answered += client.read().body == "GET /inline" ? 1 : 0;
  }
  is_done = true;
  for (auto& owner : owners) owner.join();
  CHECK(answered == 400);
}

TEST_CASE("a server that stops tells everyone who waits, and keeps nobody waiting") {
  RunningServer running;
  std::vector<RawClient> waiting;
  for (int i = 0; i < 50; ++i) {
    waiting.push_back(running.connect());
    waiting.back().get("/later");
  }
  auto idle = running.connect();
  idle.get("/");
  CHECK(idle.read().status() == 200);
  CHECK(eventually([&] { return running.kept.size() == 50; }));
  running.server->stop();
  CHECK(running.server->connection_count() == 0);
  int told = 0;
  for (auto& client : waiting) {
    const auto reply = client.read();
    told += reply.status() == 503 && reply.body == R"({"detail":"the host is stopping"})" && client.is_closed() ? 1 : 0;
  }
  CHECK(told == 50);
  CHECK(idle.is_closed());
  const auto responder = running.kept.take();
  CHECK_FALSE(responder->is_waiting());
  responder->reply({.body = "after the end"});
}

TEST_CASE("stopping finishes a reply that is being read") {
  RunningServer running({.stop_grace = std::chrono::milliseconds(15'000)});
  RawClient client(running.port(), 4096);
  client.get("/big");
  const auto head = client.read_head();
  auto stopped = std::async(std::launch::async, [&] { running.server->stop(); });
  CHECK(head.status() == 200);
  CHECK(client.read_exactly(kBigReply).size() == kBigReply);
  CHECK(client.is_closed());
  stopped.get();
}

TEST_CASE("a responder may outlive its server") {
  std::shared_ptr<HttpResponder> responder;
  {
    RunningServer running;
    auto client = running.connect();
    client.get("/later");
    responder = running.kept.take();
  }
  CHECK_FALSE(responder->is_waiting());
  CHECK_FALSE(responder->stream({}, nullptr)->has_room());
}

TEST_CASE("a server that never started stops at once") {
  auto server = HttpServer::open({.listen = {{}}}, [](HttpRequest, auto) {});
  REQUIRE(server);
  (*server)->stop();
  CHECK_FALSE((*server)->start());
}
