#include <doctest/doctest.h>

#include <future>
#include <string>
#include <thread>
#include <vector>

#include "http/running_server.hpp"

using namespace hakuriver;
using namespace hakuriver::http;
using namespace hakuriver::test;

namespace {

const HttpReply kHead{.content_type = "text/plain"};

// A stream with its client, and the news that the client is gone.
struct Followed {
  explicit Followed(RunningServer& running, int receive_buffer = 0, const std::string& version = "1.1")
      : client(running.port(), receive_buffer) {
    client.send("GET /later HTTP/" + version + "\r\nHost: h\r\n\r\n");
    responder = running.kept.take();
    stream = responder->stream(kHead, [this] { gone.put(true); });
  }

  RawClient client;
  Mailbox<bool> gone;
  std::shared_ptr<HttpResponder> responder;
  std::shared_ptr<HttpStream> stream;
};

}  // namespace

TEST_CASE("a stream gives each write as it comes, and the connection goes on after it") {
  RunningServer running;
  Followed followed(running);
  CHECK(followed.client.read_head().has("Transfer-Encoding: chunked"));
  for (const std::string text : {"one", "two\r\n", "three"}) {
    CHECK(followed.stream->has_room());
    CHECK(followed.stream->write(text));
    CHECK(followed.client.read_chunk() == text);
  }
  CHECK(followed.stream->write(""));
  followed.stream->close();
  CHECK_FALSE(followed.stream->write("late"));
  CHECK(followed.client.read_chunk().empty());
  followed.client.get("/next");
  CHECK(followed.client.read().body == "GET /next");
  CHECK(followed.gone.size() == 0);
}

TEST_CASE("the head's body is the first thing sent, and the last copy of a stream closes it") {
  RunningServer running;
  auto client = running.connect();
  client.get("/later");
  auto stream = running.kept.take()->stream({.body = "first;"}, nullptr);
  stream->write("second");
  stream.reset();
  CHECK(client.read().body == "first;second");
}

TEST_CASE("a stream for HTTP/1.0 is plain and ends with the connection") {
  RunningServer running;
  Followed followed(running, 0, "1.0");
  followed.stream->write("plain ");
  followed.stream->write("text");
  followed.stream->close();
  CHECK_FALSE(followed.client.read_head().has("chunked"));
  CHECK(followed.client.read_all() == "plain text");
}

TEST_CASE("a stream for HEAD is its head") {
  RunningServer running;
  auto client = running.connect();
  client.send("HEAD /later HTTP/1.1\r\nHost: h\r\n\r\n");
  const auto stream = running.kept.take()->stream(kHead, nullptr);
  CHECK_FALSE(stream->write("body"));
  CHECK(client.read_head().status() == 200);
  client.get("/next");
  CHECK(client.read().body == "GET /next");
}

TEST_CASE("a reader that goes away is noticed without a write, and told once") {
  RunningServer running;
  Followed followed(running);
  CHECK(followed.stream->write("text"));
  followed.client.hang_up();
  CHECK(followed.gone.take());
  CHECK_FALSE(followed.stream->write("more"));
  CHECK_FALSE(followed.stream->has_room());
  followed.stream->close();
  CHECK(eventually([&] { return running.server->connection_count() == 0; }));
  CHECK(followed.gone.size() == 0);
}

TEST_CASE("a reader that never reads hits the bound and is cut off") {
  RunningServer running({.max_unsent = 100'000});
  Followed followed(running, 4096);
  const std::string text(10'000, 't');
  std::size_t written = 0;
  while (followed.stream->has_room()) {
    REQUIRE(followed.stream->write(text));
    written += text.size();
    REQUIRE(written < (64 << 20));
  }
  CHECK_FALSE(followed.stream->write(text));
  CHECK(followed.gone.take());
  CHECK_FALSE(followed.stream->write(text));
  CHECK(eventually([&] { return running.server->connection_count() == 0; }));
}

TEST_CASE("a slow reader gets everything, and room comes back as it reads") {
  RunningServer running({.max_unsent = 100'000});
  Followed followed(running, 4096);
  constexpr std::size_t kTotal = 20 << 20;
  std::thread writer([&] {
    const std::string text(10'000, 't');
    for (std::size_t written = 0; written < kTotal;) {
      if (!followed.stream->has_room()) {
        std::this_thread::yield();
      } else if (followed.stream->write(text)) {
        written += text.size();
      } else {
        break;
      }
    }
    followed.stream->close();
  });
  const auto size = followed.client.read().body.size();
  writer.join();
  CHECK(size >= kTotal);
}

TEST_CASE("a server that stops ends its streams whole and tells their owners") {
  RunningServer running;
  Followed followed(running);
  followed.stream->write("text");
  running.server->stop();
  CHECK(followed.gone.take());
  CHECK_FALSE(followed.stream->write("more"));
  CHECK(followed.client.read().body == "text");
  CHECK(followed.client.is_closed());
}

TEST_CASE("a stream that its own notice keeps alive is let go when the reader is") {
  RunningServer running;
  auto client = running.connect();
  client.get("/later");
  auto kept = std::make_shared<std::shared_ptr<HttpStream>>();
  const std::weak_ptr<std::shared_ptr<HttpStream>> watched = kept;
  *kept = running.kept.take()->stream(kHead, [kept] { (*kept)->write("is anybody there"); });
  kept.reset();
  CHECK_FALSE(watched.expired());
  client.hang_up();
  CHECK(eventually([&] { return watched.expired(); }));
}
