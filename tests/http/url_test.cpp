#include "http/url.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace hakuriver;
using namespace hakuriver::http;

TEST_CASE("URLs are read and written back") {
  struct Good {
    std::string text;
    Url url;
    std::string written;
  };
  const std::vector<Good> rows{
      {"http://127.0.0.1:8000", {"127.0.0.1", 8000, ""}, "http://127.0.0.1:8000"},
      {"http://node-1", {"node-1", 80, ""}, "http://node-1:80"},
      {"http://n_1.example.org:65535/", {"n_1.example.org", 65535, ""}, "http://n_1.example.org:65535"},
      {"http://h:1/api//", {"h", 1, "/api"}, "http://h:1/api"},
      {"http://[::1]:8000/x", {"::1", 8000, "/x"}, "http://[::1]:8000/x"},
      {"http://[fe80::1%eth0]", {"fe80::1%eth0", 80, ""}, "http://[fe80::1%eth0]:80"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.text);
    const auto url = parse_url(row.text);
    REQUIRE(url);
    CHECK(*url == row.url);
    CHECK(to_string(*url) == row.written);
    CHECK(*parse_url(to_string(*url)) == *url);
  }
}

TEST_CASE("what is not a URL is named in one line") {
  for (const std::string text : {"",
                                 "127.0.0.1:8000",
                                 "http:/h",
                                 "http://",
                                 "http://:80",
                                 "http://h:",
                                 "http://h:0",
                                 "http://h:65536",
                                 "http://h:8x",
                                 "http://h:-1",
                                 "http://[::1",
                                 "http://[]:1",
                                 "http://[::1]8000",
                                 "http://a b",
                                 "http://u@h",
                                 "http://h/?q",
                                 "http://h/#f",
                                 "http://h/a b",
                                 "http://::1:80",
                                 "ftp://h",
                                 "http://\xc3\xa4"}) {
    CAPTURE(text);
    const auto url = parse_url(text);
    REQUIRE_FALSE(url);
    CHECK(url.error().code == Errc::invalid_argument);
    CHECK(url.error().message.find("'" + text + "'") == 0);
    CHECK(url.error().message.find('\n') == std::string::npos);
  }
  CHECK(parse_url("https://h").error().message == "'https://h': https is not supported yet, use http");
}

TEST_CASE("every byte survives percent-encoding") {
  std::string all;
  for (int c = 0; c < 256; ++c) all.push_back(static_cast<char>(c));
  CHECK(*decode_percent(encode_percent(all)) == all);
  CHECK(encode_percent("a/b c~") == "a%2Fb%20c~");
  for (const std::string text : {"%", "%4", "%g0", "%0g", "a%"}) CHECK_FALSE(decode_percent(text));
}

TEST_CASE("queries keep their order and repeats") {
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  CHECK(*parse_query("") == Pairs{});
  CHECK(*parse_query("&&") == Pairs{});
  CHECK(*parse_query("b=2&a=1&b=3") == Pairs{{"b", "2"}, {"a", "1"}, {"b", "3"}});
  CHECK(*parse_query("a+b=c%2Bd+e&f=g=h") == Pairs{{"a b", "c+d e"}, {"f", "g=h"}});
  CHECK_FALSE(parse_query("a=%"));
}
