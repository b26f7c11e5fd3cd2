#include "http/guard.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace hakuriver;
using namespace hakuriver::http;

namespace {

HttpRequest request_with(std::map<std::string, std::string> headers) {
  HttpRequest request;
  request.method = "GET";
  request.path = "/";
  request.headers = std::move(headers);
  return request;
}

int status_of(const Access& access, const HttpRequest& request) {
  const auto reply = refuse(access, request);
  return reply ? reply->status : 0;
}

const Access kOpen{.token = "",
                   .listen_addresses = {"127.0.0.1", "10.0.0.7", "fd00::7"},
                   .reachable_address = "head.cluster",
                   .allowed_hosts = {"board.example.org", "proxy:8443"},
                   .allowed_origins = {"https://board.example.org"}};

}  // namespace

TEST_CASE("with a token, only the token counts") {
  const Access access{.token = "00ffAB"};
  struct Row {
    std::string authorization;
    int status;
  };
  const std::vector<Row> rows{
      {"Bearer 00ffAB", 0},    {"bearer 00ffAB", 0},     {"Bearer  00ffAB ", 0},       {"Bearer 00ffab", 401},
      {"Bearer 00ffA", 401},   {"Bearer 00ffABAB", 401}, {"Bearer 00ffAB00ffAB", 401}, {"Bearer", 401},
      {"Bearer ", 401},        {"00ffAB", 401},          {"Basic 00ffAB", 401},        {"Bearer zz", 401},
      {"Bearer 00ffAB,", 401}, {"Bearer00ffAB", 401},
  };
  for (const auto& row : rows) {
    CAPTURE(row.authorization);
    auto request = request_with({{"host", "evil"}, {"origin", "http://evil"}, {"authorization", row.authorization}});
    CHECK(status_of(access, request) == row.status);
  }
}

TEST_CASE("a missing or wrong token is 401 and says how to do better") {
  const Access access{.token = "ab"};
  const auto missing = refuse(access, request_with({{"host", "localhost"}}));
  REQUIRE(missing);
  CHECK(missing->status == 401);
  CHECK(missing->body == R"({"detail":"a bearer token is required"})");
  CHECK(missing->headers == std::vector<std::pair<std::string, std::string>>{{"WWW-Authenticate", "Bearer"}});
  const auto wrong = refuse(access, request_with({{"authorization", "Bearer cd"}}));
  REQUIRE(wrong);
  CHECK(wrong->body == R"({"detail":"the bearer token is not valid"})");
}

TEST_CASE("without a token, the Host must be a name of this host") {
  struct Row {
    std::string host;
    int status;
  };
  const std::vector<Row> rows{
      {"127.0.0.1:8000", 0},
      {"127.0.0.1", 0},
      {"127.9.9.9:1", 0},
      {"localhost:8000", 0},
      {"LocalHost", 0},
      {"[::1]:8000", 0},
      {"[::1]", 0},
      {"10.0.0.7:8000", 0},
      {"[fd00::7]:8000", 0},
      {"head.cluster:8000", 0},
      {"HEAD.cluster", 0},
      {"board.example.org:1", 0},
      {"proxy:8443", 0},
      {"proxy:8444", 421},
      {"proxy", 421},
      {"", 421},
      {":8000", 421},
      {"evil", 421},
      {"evil:8000", 421},
      {"localhost.evil", 421},
      {"evil-localhost", 421},
      {"127.0.0.1.evil", 421},
      {"10.0.0.8", 421},
      {"[::2]", 421},
  };
  for (const auto& row : rows) {
    CAPTURE(row.host);
    CHECK(status_of(kOpen, request_with({{"host", row.host}})) == row.status);
  }
  CHECK(status_of(kOpen, request_with({})) == 421);
}

TEST_CASE("without a token, an Origin must be this host and port, whatever the method") {
  struct Row {
    std::string host;
    std::string origin;
    int status;
  };
  const std::vector<Row> rows{
      {"localhost:8000", "http://localhost:8000", 0},
      {"localhost:8000", "HTTP://LOCALHOST:8000", 0},
      {"localhost", "http://localhost", 0},
      {"localhost", "http://localhost:80", 0},
      {"[::1]:8000", "http://[::1]:8000", 0},
      {"localhost:8000", "https://board.example.org", 0},
      {"localhost:8000", "http://localhost:8888", 403},
      {"localhost:8000", "http://localhost", 403},
      {"localhost:8000", "http://127.0.0.1:8000", 403},
      {"localhost:8000", "https://localhost:8000", 403},
      {"localhost:8000", "http://evil", 403},
      {"localhost:8000", "http://board.example.org", 403},
      {"localhost:8000", "null", 403},
      {"localhost:8000", "", 403},
      {"evil", "http://evil", 421},
  };
  for (const std::string method : {"GET", "HEAD", "POST", "OPTIONS", "DELETE"}) {
    for (const auto& row : rows) {
      CAPTURE(method);
      CAPTURE(row.origin);
      auto request = request_with({{"host", row.host}, {"origin", row.origin}});
      request.method = method;
      CHECK(status_of(kOpen, request) == row.status);
    }
  }
}

TEST_CASE("loopback addresses are known in every spelling") {
  for (const std::string address : {"127.0.0.1", "127.255.255.254", "::1", "[::1]", "::ffff:127.0.0.1", "localhost",
                                    "LOCALHOST", "ip6-localhost", "0:0:0:0:0:0:0:1"}) {
    CAPTURE(address);
    CHECK(is_loopback(address));
  }
  for (const std::string address : {"", "0.0.0.0", "::", "128.0.0.1", "126.255.255.255", "10.0.0.1", "::2", "127.1",
                                    "::ffff:10.0.0.1", "localhost.example.org", "[127.0.0.1", "2130706433"}) {
    CAPTURE(address);
    CHECK_FALSE(is_loopback(address));
  }
}

TEST_CASE("tokens are hexadecimal") {
  CHECK(is_token("0123456789abcdefABCDEF"));
  for (const std::string text : {"", "g", "ab cd", "ab-cd", "ab\n"}) CHECK_FALSE(is_token(text));
}
