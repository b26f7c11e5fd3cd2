#include "wire/scanner.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

#include "wire/json.hpp"

using namespace hakuriver;
using wire::Scanner;

namespace {

bool is_well_formed(std::string_view text) {
  Scanner in(text, "text");
  in.skip();
  return bool(in.status());
}

}  // namespace

TEST_CASE("the scanner takes what nlohmann takes and refuses what it refuses") {
  const std::string deep(64, '[');
  for (const std::string& text : std::vector<std::string>{"0",
                                                          "-0",
                                                          "1",
                                                          "01",
                                                          "-",
                                                          "+1",
                                                          "1.",
                                                          ".5",
                                                          "1.5",
                                                          "1e5",
                                                          "1E+5",
                                                          "1e",
                                                          "-1.25e-3",
                                                          "true",
                                                          "false",
                                                          "null",
                                                          "tru",
                                                          "nul",
                                                          "truex",
                                                          "",
                                                          " ",
                                                          "[]",
                                                          "[ ]",
                                                          "[1]",
                                                          "[1,]",
                                                          "[,1]",
                                                          "[1 2]",
                                                          "[1,2",
                                                          "1,2",
                                                          "{}",
                                                          "{ }",
                                                          "{\"a\":1}",
                                                          "{\"a\" : 1 , \"b\":[]}",
                                                          "{\"a\"}",
                                                          "{a:1}",
                                                          "{\"a\":1,}",
                                                          "{\"a\":}",
                                                          "{,}",
                                                          "\"\"",
                                                          "\"x",
                                                          "\"\\n\"",
                                                          "\"\\x\"",
                                                          "\"\\u00e9\"",
                                                          "\"\\u00g9\"",
                                                          "\"\\ud83d\\ude00\"",
                                                          "\"\\ud83d\"",
                                                          "\"\\ude00\"",
                                                          "\"\\ud83dx\"",
                                                          "\"\\ud83d\\n\"",
                                                          "\"\xff\"",
                                                          "\"\xc3\xa9\"",
                                                          "\"\xc0\x80\"",
                                                          "\"\xed\xa0\x80\"",
                                                          "\"\x01\"",
                                                          "\"a\nb\"",
                                                          "[[[]]]",
                                                          "]",
                                                          "}",
                                                          "[}",
                                                          "{\"a\":[1,{\"b\":null}]}",
                                                          "\t\r\n1",
                                                          "1 x",
                                                          "nan",
                                                          "Infinity",
                                                          "'x'",
                                                          "/*x*/1",
                                                          "\"\\",
                                                          "\"\\u12",
                                                          deep + std::string(64, ']')}) {
    CAPTURE(text);
    CHECK(is_well_formed(text) == nlohmann::json::accept(text));
  }
}

TEST_CASE("depth is bounded before the stack is") {
  CHECK(!is_well_formed(std::string(65, '[') + std::string(65, ']')));
  CHECK(!is_well_formed(std::string(1'000'000, '[')));
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  CHECK(!is_well_formed(objects));
}

TEST_CASE("whole numbers are exact to their last bit, and none is cut") {
  struct Row {
    std::string_view text;
    bool u64;
    bool i64;
    bool u32;
  };
  for (const auto& row : std::vector<Row>{{"0", true, true, true},
                                          {"4294967295", true, true, true},
                                          {"4294967296", true, true, false},
                                          {"9223372036854775807", true, true, false},
                                          {"9223372036854775808", true, false, false},
                                          {"18446744073709551615", true, false, false},
                                          {"18446744073709551616", false, false, false},
                                          {"-1", false, true, false},
                                          {"-9223372036854775808", false, true, false},
                                          {"-9223372036854775809", false, false, false},
                                          {"1.0", false, false, false},
                                          {"1e3", false, false, false},
                                          {"00", false, false, false},
                                          {"\"1\"", false, false, false}}) {
    CAPTURE(row.text);
    Scanner u64(row.text, "n");
    const std::uint64_t big = u64.u64();
    CHECK(bool(u64.status()) == row.u64);
    if (row.u64) CHECK(std::to_string(big) == row.text);
    Scanner i64(row.text, "n");
    const std::int64_t with_sign = i64.i64();
    CHECK(bool(i64.status()) == row.i64);
    if (row.i64) CHECK(std::to_string(with_sign) == row.text);
    Scanner u32(row.text, "n");
    u32.u32();
    CHECK(bool(u32.status()) == row.u32);
  }
}

TEST_CASE("an error names the message, what was expected and the place, and stays the first one") {
  Scanner in("{\"a\":[1,x]}", "report");
  std::string_view name;
  std::vector<std::int64_t> numbers;
  in.enter_object();
  CHECK(in.next_name(name));
  in.integers(numbers, 10);
  in.fail("something else");
  CHECK(in.status().error() == Error{Errc::parse, "report: expected a whole number at byte 8"});
}

TEST_CASE("arrays of numbers have a bound") {
  for (const std::size_t most : {0U, 2U, 3U}) {
    Scanner in("[7,-8,9]", "numbers");
    std::vector<std::int64_t> numbers;
    in.integers(numbers, most);
    CHECK(bool(in.status()) == (most == 3));
    CHECK(numbers.size() == std::min<std::size_t>(most, 3));
  }
}

TEST_CASE("text is a string or base64 and nothing else") {
  const auto read = [](std::string_view text) {
    Scanner in(text, "text");
    std::string value = in.text();
    return in.status() ? value : std::string("failed");
  };
  CHECK(read(R"("a\"\\\/\b\f\n\r\té€😀")") == "a\"\\/\b\f\n\r\t\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
  CHECK(read(R"({"base64":"/wA="})") == std::string("\xFF\0", 2));
  for (const auto* bad : {"1", "null", "[]", "{}", R"({"base64":1})", R"({"base64":"="})", R"({"x":"/wA="})",
                          R"({"base64":"/wA=","x":1})", R"({"base64":"/wA="}x)"}) {
    CAPTURE(bad);
    CHECK(read(bad) == "failed");
  }
}
