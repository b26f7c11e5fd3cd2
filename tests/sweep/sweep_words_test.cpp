#include "hakuriver/sweep_words.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace hakuriver;

namespace {

Argv split(const std::string& text) {
  Argv words;
  std::size_t at = 0;
  while (at <= text.size()) {
    const auto blank = std::min(text.find(' ', at), text.size());
    words.push_back(text.substr(at, blank - at));
    at = blank + 1;
  }
  return words;
}

}  // namespace

TEST_CASE("words that a shell made of braces are read as the lists that were typed") {
  struct Row {
    std::string arrives;
    std::uint64_t size;
    std::vector<std::string> first;
    std::string reading;
  };
  const std::vector<Row> rows = {
      {"p span:1 span:2 span:3 span:[A,B]", 6, {"p 1 A", "p 1 B", "p 2 A"}, "1 list: 1 2 3 ("},
      {"p span:32 span:64 span:10 span:20", 4, {"p 32 10", "p 32 20", "p 64 10"}, "2 lists: 32 64 | 10 20 ("},
      {"p span:A span:B span:A span:B", 4, {"p A A", "p A B"}, "2 lists: A B | A B ("},
      {"p span:1 span:2 span:3 span:1 span:2", 6, {"p 1 1", "p 1 2", "p 2 1"}, "2 lists: 1 2 3 | 1 2 ("},
      {"p span:1 span:2 span:1 span:2 span:3", 6, {"p 1 1", "p 1 2", "p 1 3"}, "2 lists: 1 2 | 1 2 3 ("},
      {"p span:1 span:10 span:2 span:20", 4, {"p 1 2", "p 1 20"}, "2 lists: 1 10 | 2 20 ("},
      {"p span:1 span:2 span:1 span:2 span:3 span:1 span:2 span:1 span:2 span:3", 36, {"p 1 1 1 1"}, "4 lists:"},
      {"p span:42 span:7 span:13 span:42 span:7 span:13", 9, {"p 42 42", "p 42 7"}, "2 lists: 42 7 13 | 42 7 13 ("},
      {"p span:1 span:10 span:100 span:1 span:10", 6, {"p 1 1"}, "2 lists: 1 10 100 | 1 10 ("},
      {"p span:0.1 span:0.2 span:0.3 span:0.1 span:0.2", 6, {"p 0.1 0.1"}, "2 lists: 0.1 0.2 0.3 | 0.1 0.2 ("},
      {"p span:64 span:32", 2, {"p 64", "p 32"}, "1 list: 64 32 ("},
      {"p span:5 span:4 span:3", 3, {"p 5", "p 4"}, "1 list: 5 4 3 ("},
      {"p span:9007199254740992 span:9007199254740993", 2, {"p 9007199254740992"}, "1 list:"},
      {"p --a=span:1 --a=span:2 --b=span:7 --b=span:8", 4, {"p --a=1 --b=7", "p --a=1 --b=8"}, "2 lists: 1 2 | 7 8 ("},
      {"p --a=span:1 --a=span:2 --a=span:1 --a=span:2", 4, {"p --a=1 --a=1", "p --a=1 --a=2"}, "2 lists:"},
      {"p span:1.csv span:2.csv", 2, {"p 1.csv", "p 2.csv"}, "1 list: 1.csv 2.csv ("},
      {"p span:1-span:3 span:1-span:4 span:2-span:3 span:2-span:4", 4, {"p 1-3", "p 1-4"}, "1 list:"},
      {"p a-span:1-span:[x,y].c a-span:2-span:[x,y].c", 4, {"p a-1-x.c", "p a-1-y.c", "p a-2-x.c"}, "1 list: 1- 2- ("},
      {"p span:[x,y]-span:1 span:[x,y]-span:2", 4, {"p x-1", "p x-2", "p y-1"}, "1 list: 1 2 ("},
      {"span:a span:b x", 2, {"a x", "b x"}, "1 list: a b ("},
      {"p span:1 span:2 x span:1 span:2", 4, {"p 1 x 1", "p 1 x 2"}, "2 lists: 1 2 | 1 2 ("},
      {"p span:1..3 span:5..7", 9, {"p 1 5", "p 1 6"}, ""},
      {"p span:a,b span:c,d", 4, {"p a c", "p a d"}, ""},
      {"p span:{1..3} span:1 span:2", 6, {"p 1 1", "p 1 2"}, "1 list: 1 2 ("},
      {"p span:foo", 1, {"p foo"}, ""},
      {"p span:1-span:3", 1, {"p 1-3"}, ""},
      {"p span:a-span:[x,y]-span:b", 2, {"p a-x-b", "p a-y-b"}, ""},
      {"p span:{1..2}-span:{3..4}.csv", 4, {"p 1-3.csv", "p 1-4.csv", "p 2-3.csv"}, ""},
      {"p timespan:1 timespan:2", 1, {"p timespan:1 timespan:2"}, ""},
      {"p x", 1, {"p x"}, ""},
  };
  for (const auto& row : rows) {
    CAPTURE(row.arrives);
    const auto words = parse_sweep(split(row.arrives));
    REQUIRE(words);
    CHECK(words->sweep.size() == row.size);
    for (std::size_t i = 0; i < row.first.size(); ++i) CHECK(words->sweep.at(i) == split(row.first[i]));
    CHECK(words->shell_reading.empty() == row.reading.empty());
    CHECK(words->shell_reading.find(row.reading) != std::string::npos);
  }
}

TEST_CASE("a run that cannot be read back is refused with the command quoted") {
  struct Row {
    std::string arrives;
    std::string why;
    std::string command;
  };
  const std::vector<Row> rows = {
      {"p --seed span:42 span:7 span:13", "change direction", "hakurun -j 2 p --seed 'span:{42,7,13}'"},
      {"p span:1 span:2 span:3 span:3 span:2 span:1", "change direction", "'span:{1,2,3,3,2,1}'"},
      {"p span:1 span:2 span:3 span:7 span:8 span:9 span:1 span:2 span:3", "change direction",
       "'span:{1,2,3,7,8,9,1,2,3}'"},
      {"p span:3 span:2 span:5 span:4", "change direction", "'span:{3,2,5,4}'"},
      {"p span:1 span:2 span:3 span:A span:B", "mixes numbers and words", "'span:{1,2,3}' 'span:{A,B}'"},
      {"p span:1 span:2 span:3 span:A", "mixes numbers and words", "'span:{1,2,3,A}'"},
      {"p span:auto span:1 span:2", "mixes", "'span:{auto,1,2}'"},
      {"p span:1 span:1", "'1' more than once", "'span:{1,1}'"},
      {"p span:A span:A span:A", "'A' more than once", "'span:{A,A,A}'"},
      {"p span:A span:B span:A", "'A' more than once", "'span:{A,B,A}'"},
      {"p span:1..3 span:7", "a range beside a value", "'span:{1..3,7}'"},
      {"p x=span:7 x=span:1..3 x=span:9", "a range beside a value", "'x=span:{7,1..3,9}'"},
      {"p span:1-span:[x,y]-span:3 span:1-span:[x,y]-span:4", "several spans", "'span:{1-}span:[x,y]-span:{3,4}'"},
      {"p a=span:5 a=span:6 b=span:1 b=span:1", "more than once", "p 'a=span:{5,6}' 'b=span:{1,1}'"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.arrives);
    const auto words = parse_sweep(split(row.arrives), SweepOrder::first_slowest, {"hakurun", "-j", "2"});
    REQUIRE(!words);
    const std::string& message = words.error().message;
    CAPTURE(message);
    CHECK(message.find(row.why) != std::string::npos);
    CHECK(message.find("quote the spans: hakurun -j 2 p ") != std::string::npos);
    CHECK(message.substr(message.size() - row.command.size()) == row.command);
    CHECK(message.find('\n') == std::string::npos);
  }
}

TEST_CASE("a bad span in a word is refused by name") {
  for (const std::string word :
       {"span:", "span:{}", "x=span:[]", "span:{1..}", "span:[a", "span:{A..9}", "span:../x"}) {
    CAPTURE(word);
    const auto words = parse_sweep({"p", word});
    REQUIRE(!words);
    CHECK(words.error().message.find("'" + word + "'") != std::string::npos);
  }
  CHECK(!parse_sweep({"p", "span:a", "span:"}));
}

TEST_CASE("quoting never changes a type") {
  const auto types = [](const Argv& arguments) {
    const auto words = parse_sweep(arguments);
    REQUIRE(words);
    std::string text;
    for (std::uint64_t i = 0; i < words->sweep.size(); ++i) {
      text += words->sweep.values_at(i)[1].is_integer ? 'i' : 's';
    }
    return text;
  };
  CHECK(types({"m:f", "span:{1..3}"}) == "iii");
  CHECK(types({"m:f", "span:1", "span:2", "span:3"}) == "iii");
  CHECK(types({"m:f", "span:{5..5}"}) == "i");
  CHECK(types({"m:f", "span:5"}) == "i");
  CHECK(types({"m:f", "span:[1,2]"}) == "ss");
  CHECK(types({"m:f", "span:{a,1}"}) == "si");
  CHECK(types({"m:f", "span:{0.1,1.0}"}) == "ss");
  CHECK(types({"m:f", "--n=span:{1..2}"}) == "ss");
  CHECK(types({"m:f", "span:{1..2}-span:{1..2}"}) == "ssss");
  CHECK(types({"m:f", "7"}) == "s");
  CHECK(types({"m:f", "span:{A..C}"}) == "sss");
}

TEST_CASE("words that hold nothing but plain spans are listed, as a glob may have put them there") {
  const auto words = parse_sweep({"p", "span:s", "x", "--a=span:1", "span:[b]", "span:1..2"});
  REQUIRE(words);
  CHECK(words->plain_words == Argv{"span:s"});
}

TEST_CASE("a sweep's texts are shell words that read back") {
  CHECK(shell_quote(Argv{"a", "b c", "", "it's"}) == "a 'b c' '' 'it'\\''s'");
  CHECK(shell_quote("a\nb\t'\\\x01") == "$'a\\nb\\t\\'\\\\\\001'");
  CHECK(shell_quote(Argv{"ls", "=ls", "a=ls"}) == "ls '=ls' a=ls");
  CHECK(shell_quote(Argv{"A=1", "A=1"}) == "'A=1' A=1");
  CHECK(shell_quote(Argv{"time", "time"}) == "'time' time");
  CHECK(shell_quote("span:{1..3}") == "'span:{1..3}'");
  CHECK(shell_quote("\xc3\xa9") == "'\xc3\xa9'");
  CHECK(shell_quote("~") == "'~'");
}
