#include "http/request_reader.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace hakuriver::http;
using Progress = RequestReader::Progress;

namespace {

const HeadLimits kLimits{.path = 100, .headers = 10, .body = 50};

}  // namespace

TEST_CASE("requests in a row come out one by one however they are cut") {
  const std::string text =
      "\r\nGET /1 HTTP/1.1\r\nHost: h\r\n\r\n"
      "POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
      "POST /3 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
      "GET /4 HTTP/1.1\r\nHost: h\r\n\r\n";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    CAPTURE(piece);
    RequestReader reader(200, kLimits);
    std::string seen;
    for (std::size_t at = 0; at < text.size(); at += piece) {
      reader.append(std::string_view(text).substr(at, piece));
      while (reader.advance() == Progress::complete) {
        const auto request = reader.take();
        seen += request.head.substr(0, request.head.find(" HTTP")) + "=" + request.body + ";";
      }
    }
    CHECK(seen == "GET /1=;POST /2=hello;POST /3=abc;GET /4=;");
    CHECK(reader.is_idle());
    CHECK(reader.held_bytes() == 0);
  }
}

TEST_CASE("a head of exactly the limit passes, and one byte more does not") {
  const std::string start = "GET / HTTP/1.1\r\nHost: h\r\nA: ";
  for (const std::size_t excess : {0U, 1U}) {
    RequestReader reader(200, kLimits);
    reader.append(start + std::string(200 + excess - start.size() - 4, 'a') + "\r\n\r\n");
    CHECK((reader.advance() == Progress::complete) == (excess == 0));
    if (excess == 1) CHECK(reader.refusal().status == 431);
  }
}

TEST_CASE("an endless first line or header is refused while it comes") {
  for (const std::string start : {"GET /", "GET / HTTP/1.1\r\nA: "}) {
    RequestReader reader(200, kLimits);
    reader.append(start);
    std::size_t fed = start.size();
    while (reader.advance() == Progress::need_more && fed < 10'000) {
      reader.append("aaaaaaaaaa");
      fed += 10;
    }
    CHECK(reader.refusal().status == (start.size() < 10 ? 414 : 431));
    CHECK(fed <= 220);
  }
}

TEST_CASE("a sender that waits is told to go on once, and one that does not wait is not") {
  const std::string head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
  RequestReader reader(200, kLimits);
  reader.append(head);
  CHECK(reader.advance() == Progress::need_more);
  CHECK(reader.is_in_body());
  CHECK(reader.take_continue());
  CHECK_FALSE(reader.take_continue());
  reader.append("ab" + head + "cd");
  CHECK(reader.advance() == Progress::complete);
  CHECK(reader.take().body == "ab");
  CHECK(reader.advance() == Progress::complete);
  CHECK_FALSE(reader.take_continue());
}
