#include "http/chunked.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace hakuriver::http;

TEST_CASE("a chunked body is the same however it is cut") {
  const std::string text = "5\r\nhello\r\n1;name=\"value\"\r\n \r\n00A\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    CAPTURE(piece);
    ChunkedBody chunks;
    std::string body;
    for (std::size_t at = 0; at < text.size(); at += piece) {
      const auto part = std::string_view(text).substr(at, piece);
      CHECK(chunks.take(part, body, 100) == part.size());
    }
    CHECK(chunks.is_complete());
    CHECK(body == "hello 0123456789");
  }
}

TEST_CASE("what follows a chunked body is left alone") {
  ChunkedBody chunks;
  std::string body;
  CHECK(chunks.take("1\r\na\r\n0\r\n\r\nGET /", body, 100) == 11);
  CHECK(chunks.is_complete());
  CHECK(body == "a");
}

TEST_CASE("broken and oversized chunks are refused") {
  struct Bad {
    std::string text;
    int status;
  };
  const std::vector<Bad> rows{
      {"\r\n", 400},
      {"x\r\n", 400},
      {"-1\r\n", 400},
      {"0x5\r\n", 400},
      {"5 5\r\n", 400},
      {"5\nhello\r\n", 400},
      {"5\r\rhello", 400},
      {"5\r\nhello!\r\n", 400},
      {"5\r\nhello\n", 400},
      {"5;" + std::string(300, 'e'), 400},
      {"11\r\n", 413},
      {"8\r\n01234567\r\n9\r\n", 413},
      {"fffffffffffffffff\r\n", 413},
      {"ffffffffffffffff\r\n", 413},
      {"0\r\n" + std::string(300, 't'), 400},
  };
  for (const auto& row : rows) {
    CAPTURE(row.text);
    ChunkedBody chunks;
    std::string body;
    chunks.take(row.text, body, 16);
    CHECK(chunks.refusal().status == row.status);
    CHECK(body.size() <= 16);
  }
}

TEST_CASE("trailers without an end are refused") {
  ChunkedBody chunks;
  std::string body;
  chunks.take("0\r\n", body, 16);
  std::size_t taken = 0;
  while (chunks.refusal().status == 0 && taken < 100'000)
    taken += chunks.take("T: " + std::string(90, 't') + "\r\n", body, 16);
  CHECK(chunks.refusal().status == 431);
  CHECK(taken < 10'000);
}
