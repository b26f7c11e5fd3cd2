#include <doctest/doctest.h>
#include <signal.h>

#include <string>
#include <utility>
#include <vector>

#include "http/request_parser.hpp"

using namespace hakuriver;

namespace {

Result<HttpRequest> parse(const std::string& line_and_headers) {
  http::RequestParser parser;
  return parser.parse(line_and_headers + "\r\n");
}

}  // namespace

TEST_CASE("a head becomes a request, its query in order, its headers in lower case, the first one kept") {
  const auto request =
      parse("POST /a%20b/c+d?z=1&a=%26+x&z=2&flag&=e HTTP/1.1\r\nHost: h:1\r\nX-A: first\r\nx-a: second\r\nEmpty:\r\n");
  REQUIRE(request);
  CHECK(request->method == "POST");
  CHECK(request->path == "/a b/c+d");
  CHECK(request->query == std::vector<std::pair<std::string, std::string>>{
                              {"z", "1"}, {"a", "& x"}, {"z", "2"}, {"flag", ""}, {"", "e"}});
  CHECK(request->headers.at("host") == "h:1");
  CHECK(request->headers.at("x-a") == "first");
  CHECK(request->headers.size() <= 3);
}

TEST_CASE("encoded control characters reach nobody") {
  for (const std::string head : {
           "GET /a%0d%0ab HTTP/1.1\r\nHost: h\r\n",
           "GET /a%00 HTTP/1.1\r\nHost: h\r\n",
           "GET /a%7f HTTP/1.1\r\nHost: h\r\n",
           "GET / HTTP/1.1\r\nHost: h\r\nX-A: a%0d%0aSet-Cookie: evil\r\n",
           "GET / HTTP/1.1\r\nHost: h\r\nX-A: a%00\r\n",
       }) {
    CAPTURE(head);
    const auto request = parse(head);
    REQUIRE_FALSE(request);
    CHECK(request.error().code == Errc::parse);
  }
}

TEST_CASE("broken escapes and unknown methods are refused") {
  for (const std::string line :
       {"GET /% HTTP/1.1", "GET /%4 HTTP/1.1", "GET /%zz HTTP/1.1", "GET /?a=% HTTP/1.1", "BREW / HTTP/1.1"}) {
    CAPTURE(line);
    CHECK_FALSE(parse(line + "\r\nHost: h\r\n"));
  }
}

TEST_CASE("a parser leaves the process's signals as they were") {
  struct sigaction before {};
  ::sigaction(SIGPIPE, nullptr, &before);
  const http::RequestParser parser;
  struct sigaction after {};
  ::sigaction(SIGPIPE, nullptr, &after);
  const bool is_same = after.sa_handler == before.sa_handler;
  CHECK(is_same);
}
