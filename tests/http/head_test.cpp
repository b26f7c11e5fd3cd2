#include "http/head.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace hakuriver::http;

namespace {

HeadFacts scan(std::string head) { return scan_head(head, {.path = 20, .headers = 5, .body = 1000}); }

const std::string kGet = "GET / HTTP/1.1\r\nHost: h\r\n";
const std::string kPost = "POST / HTTP/1.1\r\nHost: h\r\n";

}  // namespace

TEST_CASE("heads that two readers could understand differently are refused") {
  struct Bad {
    std::string head;
    int status;
  };
  const std::vector<Bad> rows{
      {"\r\n\r\n", 400},
      {"GET\r\n\r\n", 400},
      {"GET /\r\n\r\n", 400},
      {"GET / HTTP/1.1 \r\n\r\n", 400},
      {"G=T / HTTP/2\r\nHost: h\r\n\r\n", 400},
      {"G(T / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"GET / http/1.1\r\nHost: h\r\n\r\n", 400},
      {"GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505},
      {"GET x HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"GET /\xc3\xa4 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"GET /" + std::string(20, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n", 414},
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {kGet + "Host: other\r\n\r\n", 400},
      {kGet + "no colon\r\n\r\n", 400},
      {kGet + "Name : value\r\n\r\n", 400},
      {kGet + ": value\r\n\r\n", 400},
      {kGet + "A: b\r\n folded\r\n\r\n", 400},
      {kGet + "A: b\nB: c\r\n\r\n", 400},
      {kGet + "A: b\rB: c\r\n\r\n", 400},
      {kGet + "A: " + std::string(1, '\0') + "\r\n\r\n", 400},
      {kGet + "A: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\nE: 1\r\n\r\n", 431},
      {kGet + "Expect: a miracle\r\n\r\n", 417},
      {kPost + "Content-Length: \r\n\r\n", 400},
      {kPost + "Content-Length: -1\r\n\r\n", 400},
      {kPost + "Content-Length: +1\r\n\r\n", 400},
      {kPost + "Content-Length: 0x10\r\n\r\n", 400},
      {kPost + "Content-Length: 1, 1\r\n\r\n", 400},
      {kPost + "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 400},
      {kPost + "Content-Length: 1001\r\n\r\n", 413},
      {kPost + "Content-Length: 99999999999999999999999999\r\n\r\n", 413},
      {kPost + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {kPost + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {kPost + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
      {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {kPost + "Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\n", 415},
      {kPost + "content-encoding: BR\r\nTransfer-Encoding: chunked\r\n\r\n", 415},
  };
  for (const auto& row : rows) {
    CAPTURE(row.head);
    const auto facts = scan(row.head);
    CHECK(facts.refusal.status == row.status);
    CHECK_FALSE(facts.refusal.detail.empty());
  }
}

TEST_CASE("a head tells how long its request is and whether the connection stays") {
  struct Good {
    std::string head;
    std::size_t length;
    bool is_chunked;
    bool keep_alive;
    bool expects_continue;
  };
  const std::vector<Good> rows{
      {kGet + "\r\n", 0, false, true, false},
      {"GET /" + std::string(19, 'a') + "?" + std::string(90, 'q') + " HTTP/1.1\r\nHost:\r\n\r\n", 0, false, true,
       false},
      {"GET / HTTP/1.0\r\n\r\n", 0, false, false, false},
      {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", 0, false, true, false},
      {kGet + "Connection: close\r\n\r\n", 0, false, false, false},
      {kGet + "Connection: keep-alive, Close\r\n\r\n", 0, false, false, false},
      {kGet + "Connection: close\r\nConnection: keep-alive\r\n\r\n", 0, false, false, false},
      {kPost + "Content-Length: 1000\r\n\r\n", 1000, false, true, false},
      {kPost + "content-length:\t007 \r\nA: 1\r\nB:\r\nC: 1\r\n\r\n", 7, false, true, false},
      {kPost + "Content-Length: 7\r\nExpect: 100-Continue\r\n\r\n", 7, false, true, true},
      {kPost + "Expect: 100-continue\r\n\r\n", 0, false, true, false},
      {kPost + "Transfer-Encoding: Chunked\r\n\r\n", 0, true, true, false},
      {kPost + "Content-Encoding: identity\r\nContent-Length: 1\r\n\r\n", 1, false, true, false},
  };
  for (const auto& row : rows) {
    CAPTURE(row.head);
    const auto facts = scan(row.head);
    CHECK(facts.refusal.status == 0);
    CHECK(facts.content_length == row.length);
    CHECK(facts.is_chunked == row.is_chunked);
    CHECK(facts.keep_alive == row.keep_alive);
    CHECK(facts.expects_continue == row.expects_continue);
  }
}

TEST_CASE("headers that must not reach the parser are taken out, the others stay") {
  std::string head =
      "GET / HTTP/1.1\r\nRange: bytes=0-,0-\r\nHost: h\r\nREMOTE_ADDR: 6.6.6.6\r\nexpect: 100-continue\r\nA: b\r\n\r\n";
  CHECK(scan_head(head, {}).refusal.status == 0);
  CHECK(head == "GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n");
}

TEST_CASE("items of a list are found whatever their case and blanks") {
  CHECK(has_token("a, Close ,b", "close"));
  CHECK(has_token("close", "close"));
  CHECK_FALSE(has_token("closed", "close"));
  CHECK_FALSE(has_token("", "close"));
  CHECK_FALSE(has_token("a b", "a"));
}
