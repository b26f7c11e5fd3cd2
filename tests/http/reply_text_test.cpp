#include "http/reply_text.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace hakuriver;
using namespace hakuriver::http;

namespace {

std::string text_of(const HttpReply& reply, const ReplyForm& form = {}) {
  std::string out;
  append_reply(out, reply, form);
  return out;
}

}  // namespace

TEST_CASE("replies are written as the request asks for them") {
  const HttpReply reply{.status = 202, .body = "{}", .headers = {{"X-A", "b"}}};
  const std::string head = "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nX-A: b\r\n";
  CHECK(text_of(reply) == head + "Content-Length: 2\r\n\r\n{}");
  CHECK(text_of(reply, {.head_only = true}) == head + "Content-Length: 2\r\n\r\n");
  CHECK(text_of(reply, {.keep_alive = false}) == head + "Connection: close\r\nContent-Length: 2\r\n\r\n{}");
  CHECK(text_of(reply, {.is_http10 = true}) == head + "Connection: keep-alive\r\nContent-Length: 2\r\n\r\n{}");
  CHECK(text_of({.status = 204, .content_type = ""}) == "HTTP/1.1 204 No Content\r\n\r\n");
  CHECK(text_of({.status = 299, .content_type = ""}) == "HTTP/1.1 299 Status\r\nContent-Length: 0\r\n\r\n");
}

TEST_CASE("streams are chunked, and plain for HTTP/1.0") {
  std::string out;
  append_stream_head(out, {.content_type = "text/plain"}, {});
  append_chunk(out, "0123456789abcdef");
  out += kLastChunk;
  CHECK(out ==
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
        "10\r\n0123456789abcdef\r\n0\r\n\r\n");
  out.clear();
  append_stream_head(out, {.content_type = "text/plain"}, {.keep_alive = false, .is_http10 = true});
  CHECK(out == "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n");
}

TEST_CASE("a detail is valid JSON whatever it quotes") {
  CHECK(detail_reply(400, "a \"b\" \\ \n\x7f\xe4").body == R"({"detail":"a \"b\" \\ \u000a\u007f\u00e4"})");
}

TEST_CASE("replies that would split are not sendable") {
  CHECK(is_sendable({}));
  CHECK(is_sendable({.headers = {{"A", "b\tc"}}}));
  for (const auto& reply : std::vector<HttpReply>{
           {.status = 100},
           {.status = 600},
           {.content_type = "a\r\nb"},
           {.headers = {{"A", "b\r\nC: d"}}},
           {.headers = {{"A\n", "b"}}},
           {.headers = {{"A:", "b"}}},
           {.headers = {{"", "b"}}},
       }) {
    CHECK_FALSE(is_sendable(reply));
  }
}
