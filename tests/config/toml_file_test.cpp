#include "config/toml_file.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace hakuriver;
using config::Other;

TEST_CASE("a file is taken apart by sections, keys and lines") {
  const auto settings = config::parse_toml(
      "# comment\n"
      "top = 1\n"
      "[network]\r\n"
      "host_port = 0x1F90 # hex\n"
      "a.b = 2\n"
      "\n"
      "[timing]\n"
      "heartbeat_interval = 0.5\n"
      "lists = [\"a\", 'b',\n"
      "  \"c\"]\n"
      "mixed = [1, \"a\"]\n"
      "when = 2025-04-18\n"
      "on = true\n"
      "text = \"\"\"\ntwo\nlines\"\"\"\n"
      "[[array]]\n",
      "x.toml");
  REQUIRE(settings);
  struct Row {
    const char* section;
    const char* name;
    std::size_t line;
  };
  const std::vector<Row> expected = {
      {"", "top", 2},         {"network", "", 3},      {"network", "host_port", 4},
      {"network", "a", 5},    {"timing", "", 7},       {"timing", "heartbeat_interval", 8},
      {"timing", "lists", 9}, {"timing", "mixed", 11}, {"timing", "when", 12},
      {"timing", "on", 13},   {"timing", "text", 14},  {"", "array", 17}};
  REQUIRE(settings->size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CAPTURE(expected[i].name);
    CHECK((*settings)[i].section == expected[i].section);
    CHECK((*settings)[i].name == expected[i].name);
    CHECK((*settings)[i].line == expected[i].line);
  }
  CHECK(std::get<std::int64_t>((*settings)[2].value) == 8080);
  CHECK(std::get<Other>((*settings)[3].value).name == "a table");
  CHECK(std::get<double>((*settings)[5].value) == 0.5);
  CHECK(std::get<std::vector<std::string>>((*settings)[6].value) == std::vector<std::string>{"a", "b", "c"});
  CHECK(std::get<Other>((*settings)[7].value).name == "a list that holds something else");
  CHECK(std::get<Other>((*settings)[8].value).name == "a date or time");
  CHECK(std::get<bool>((*settings)[9].value));
  CHECK(std::get<std::string>((*settings)[10].value) == "two\nlines");
}

TEST_CASE("an empty file has no settings") {
  for (const std::string text : {"", "\n", "# only a comment", "\xEF\xBB\xBF", "  \n\t\n"}) {
    CAPTURE(text);
    const auto settings = config::parse_toml(text, "x.toml");
    REQUIRE(settings);
    CHECK(settings->empty());
  }
}

TEST_CASE("what is not TOML is one line with the place and the reason") {
  struct Row {
    std::string text;
    std::string message;
  };
  for (const auto& row : std::vector<Row>{
           {"[network]\n\nhost_port 80\n", "config.toml:3: 'host_port 80': missing key-value separator `=`"},
           {"[network]\nhost_port = 80\nhost_port = 81\n",
            "config.toml:3: 'host_port = 81': value (\"host_port\") already exists"},
           {"[a]\n[a]\n", "config.toml:2: '[a]': table (\"a\") already exists"},
           {"[a]\r\nb = 1\r\nc =\r\n", "config.toml:3: 'c =': missing value after key-value separator '='"},
           {"[network\nx=1", "config.toml:1: '[network': the ']' is missing: expected [SECTION]"},
           {"x = \"abc", "config.toml:1: 'x = \"abc': text without an end: expected a closing quote"},
           {"[a]\nb = bar\n",
            "config.toml:2: 'b = bar': unknown value: expected a number, true, false, a \"text\" or a [list]"},
           {"x = 1 y = 2", "config.toml:1: 'x = 1 y = 2': invalid line format: expected KEY = VALUE or [SECTION]"},
           {"x = \"\xff\xfe\"", "config.toml:1: not UTF-8"},
           {"x = 1979-13-40", "config.toml:1: 'x = 1979-13-40': invalid date: it does not conform RFC3339"},
       }) {
    CAPTURE(row.text);
    const auto settings = config::parse_toml(row.text, "config.toml");
    REQUIRE(!settings);
    CHECK(settings.error().code == Errc::parse);
    CHECK(settings.error().message == row.message);
  }
}

TEST_CASE("text must be UTF-8, in comments too") {
  for (const auto& text : std::vector<std::string>{"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xed\x9f\xbf",
                                                   "\xf4\x8f\xbf\xbf", "\xc2\x80"}) {
    CAPTURE(text);
    const auto settings = config::parse_toml("x = '" + text + "' # " + text + "\n", "x.toml");
    REQUIRE(settings);
    CHECK(std::get<std::string>((*settings)[0].value) == text);
  }
  for (const auto& text : std::vector<std::string>{"\x80", "\xc3", "\xc1\xbf", "\xe2\x82", "\xe0\x80\x80",
                                                   "\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80",
                                                   "\xf5\x80\x80\x80", "\xff", "\xc3\xc3", "\xe2\x82x"}) {
    CAPTURE(text);
    for (const auto& line : std::vector<std::string>{"x = \"" + text + "\"", "'" + text + "' = 1", "# " + text,
                                                     "x = '''" + text + "'''"}) {
      const auto settings = config::parse_toml("\n" + line, "x.toml");
      REQUIRE(!settings);
      CHECK(settings.error().message == "x.toml:2: not UTF-8");
    }
  }
}

TEST_CASE("files that would exhaust the stack are refused first") {
  const std::string deep(100'000, '[');
  const std::vector<std::string> refused = {
      "x = " + deep,
      "x = " + std::string(257, '{'),
      [] {
        std::string lines = "x = ";
        for (int i = 0; i < 1000; ++i) lines += "[ # \"\n";
        return lines;
      }(),
      [] {
        std::string key = "a";
        for (int i = 0; i < 10'000; ++i) key += ".a";
        return key + " = 1\n";
      }(),
      std::string(20'000, '\n'),
  };
  for (const auto& text : refused) {
    const auto settings = config::parse_toml(text, "x.toml");
    REQUIRE(!settings);
    CHECK(settings.error().code == Errc::limit);
    CHECK(settings.error().message.substr(0, 7) == "x.toml:");
  }
  // What is just within the bounds is for the parser to judge.
  CHECK(config::parse_toml("x = " + std::string(256, '[') + std::string(256, ']') + "\n", "x.toml"));
}
