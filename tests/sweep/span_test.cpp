#include "hakuriver/span.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "hakuriver/span_mark.hpp"

using namespace hakuriver;

namespace {

// Up to twelve values, by blanks; integers with an i behind them where `typed`.
std::string values_of(const Axis& axis, bool typed = false) {
  std::string text;
  for (std::uint64_t i = 0; i < axis.size() && i < 12; ++i) {
    const Value value = axis.at(i);
    text += (i == 0 ? "" : " ") + (value.text.empty() ? std::string("''") : value.text);
    if (typed && value.is_integer) text += 'i';
  }
  return text;
}

struct Good {
  SpanForm form;
  std::string body;
  std::uint64_t size;
  std::string values;
};

constexpr SpanForm kBraces = SpanForm::braces;
constexpr SpanForm kBrackets = SpanForm::brackets;
constexpr SpanForm kBare = SpanForm::bare;

}  // namespace

TEST_CASE("spans name their values, in order, with types") {
  const std::vector<Good> rows = {
      {kBraces, "1..5", 5, "1i 2i 3i 4i 5i"},
      {kBare, "1..5", 5, "1i 2i 3i 4i 5i"},
      {kBraces, " 1 .. 3 ", 3, "1i 2i 3i"},
      {kBraces, "5..1", 5, "5i 4i 3i 2i 1i"},
      {kBraces, "-2..2", 5, "-2i -1i 0i 1i 2i"},
      {kBraces, "4..4", 1, "4i"},
      {kBraces, "1..9..2", 5, "1i 3i 5i 7i 9i"},
      {kBraces, "1..10..4", 3, "1i 5i 9i"},
      {kBraces, "10..1..4", 3, "10i 6i 2i"},
      {kBraces, "1..9..-4", 3, "1i 5i 9i"},
      {kBraces, "007..009", 3, "007i 008i 009i"},
      {kBraces, "1..03", 3, "01i 02i 03i"},
      {kBraces, "01..100..33", 4, "001i 034i 067i 100i"},
      {kBraces, "-05..5..5", 3, "-05i 000i 005i"},
      {kBraces, "0..-2", 3, "0i -1i -2i"},
      {kBraces, "0.1..0.3..0.1", 3, "0.1 0.2 0.3"},
      {kBare, "0.1..0.3..0.1", 3, "0.1 0.2 0.3"},
      {kBraces, "-0.1..0.1..0.1", 3, "-0.1 0.0 0.1"},
      {kBraces, "1..2..0.5", 3, "1.0 1.5 2.0"},
      {kBraces, "0.3..0.1..0.1", 3, "0.3 0.2 0.1"},
      {kBraces, "0.05..0.1..0.05", 2, "0.05 0.10"},
      {kBraces, "09.5..10.5..0.5", 3, "09.5 10.0 10.5"},
      {kBraces, "01..02..0.5", 3, "01.0 01.5 02.0"},
      {kBraces, "A..E", 5, "A B C D E"},
      {kBraces, "e..a..2", 3, "e c a"},
      {kBare, "X..Z", 3, "X Y Z"},
      {kBraces, "32,64,128", 3, "32i 64i 128i"},
      {kBraces, "0.1,0.2", 2, "0.1 0.2"},
      {kBraces, "1,a,-3,1.5", 4, "1i a -3i 1.5"},
      {kBraces, "1..3,7", 2, "1..3 7i"},
      {kBraces, "a,", 2, "a ''"},
      {kBraces, ",", 2, "'' ''"},
      {kBraces, "5", 1, "5i"},
      {kBraces, "foo", 1, "foo"},
      {kBrackets, "small, medium ,large", 3, "small medium large"},
      {kBrackets, "1,2", 2, "1 2"},
      {kBrackets, "1..3", 1, "1..3"},
      {kBrackets, "a,,b", 3, "a '' b"},
      {kBrackets, "[a,b],[c]", 2, "[a,b] [c]"},
      {kBrackets, "f(1,2),{x,y}", 2, "f(1,2) {x,y}"},
      {kBrackets, "span:x", 1, "span:x"},
      {kBare, "a,b,c", 3, "a b c"},
      {kBare, " foo ", 1, "foo"},
      {kBare, "foo", 1, "foo"},
      {kBare, "\xc3\xa9,\xf0\x9f\xa6\x86", 2, "\xc3\xa9 \xf0\x9f\xa6\x86"},
      {kBraces, "-9223372036854775..9223372036854775..9223372036854775", 3, "-9223372036854775i 0i 9223372036854775i"},
      {kBraces, "1..1000000000000", 1'000'000'000'000, "1i 2i 3i 4i 5i 6i 7i 8i 9i 10i 11i 12i"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.body);
    const auto axis = parse_span(row.form, row.body);
    REQUIRE(axis);
    CHECK(axis->size() == row.size);
    CHECK(values_of(*axis, true) == row.values);
  }
}

TEST_CASE("a malformed span is refused in one line") {
  struct Bad {
    SpanForm form;
    std::string body;
    std::string says;
  };
  const std::vector<Bad> rows = {
      {kBraces, "", "without a value"},
      {kBrackets, "", "without a value"},
      {kBare, "  ", "without a value"},
      {kBraces, "1..", "'1..' is malformed"},
      {kBraces, "..5", "malformed"},
      {kBraces, "..", "malformed"},
      {kBraces, "1...3", "malformed"},
      {kBraces, "1..2..", "malformed"},
      {kBraces, "1..2..0", "malformed"},
      {kBraces, "1..2..3..4", "malformed"},
      {kBraces, "A..9", "malformed"},
      {kBraces, "a..Z", "malformed"},
      {kBraces, "a..z..0.5", "malformed"},
      {kBraces, "aa..zz", "malformed"},
      {kBraces, "1..x", "malformed"},
      {kBraces, "1..5x", "malformed"},
      {kBraces, "+1..5", "malformed"},
      {kBraces, "0x1..0x5", "malformed"},
      {kBraces, "1e2..1e3", "malformed"},
      {kBraces, "1.2.3..4..1", "malformed"},
      {kBraces, "1...5..1", "malformed"},
      {kBraces, "0.1..0.3", "needs its step"},
      {kBraces, "1..9999999999999999999", "malformed"},
      {kBraces, "0.1..999999999999999999..1", "malformed"},
      {kBare, "../data", "malformed"},
      {kBare, "x{1,2}", "right after 'span:'"},
      {kBare, "a[1]", "right after 'span:'"},
      {kBraces, std::string(kMaxSpanText + 1, 'x'), "at most 1 MiB"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.body.substr(0, 60));
    const auto axis = parse_span(row.form, row.body);
    REQUIRE(!axis);
    CHECK(axis.error().message.find(row.says) != std::string::npos);
    CHECK(axis.error().message.find('\n') == std::string::npos);
    CHECK(axis.error().message.size() < 300);
  }
  CHECK(parse_span(kBraces, std::string(kMaxSpanText, 'x')));
}

TEST_CASE("a range of all numbers of 64 bits keeps its ends, one more would not be counted") {
  const auto lowest = std::numeric_limits<std::int64_t>::min();
  const auto highest = std::numeric_limits<std::int64_t>::max();
  CHECK(!Range::between(lowest, highest, 1, {}));
  CHECK(!Range::between(1, 2, 0, {}));
  const auto down = Range::between(highest, lowest + 1, 1, {});
  REQUIRE(down);
  CHECK(down->size() == std::numeric_limits<std::uint64_t>::max());
  CHECK(Axis(*down).at(0).text == "9223372036854775807");
  CHECK(Axis(*down).at(down->size() - 1).text == "-9223372036854775807");
  const auto both = Range::between(lowest, highest, std::numeric_limits<std::uint64_t>::max(), {});
  REQUIRE(both);
  CHECK(both->size() == 2);
  CHECK(Axis(*both).at(1).text == "9223372036854775807");
  CHECK(Axis(*both).at(0).text == "-9223372036854775808");
}

TEST_CASE("the i-th value of a range is the one that counting reaches") {
  for (const std::string body : {"-7..13..3", "13..-7..3", "-1.5..2.5..0.25", "2.5..-1.5..0.25"}) {
    CAPTURE(body);
    const auto axis = parse_span(kBraces, body);
    REQUIRE(axis);
    double first = std::stod(axis->at(0).text);
    const double step = std::stod(axis->at(1).text) - first;
    for (std::uint64_t i = 0; i < axis->size(); ++i) CHECK(std::stod(axis->at(i).text) == first + step * double(i));
  }
}

TEST_CASE("spans are found in words, with what they hold") {
  struct Row {
    std::string word;
    std::vector<std::string> bodies;
  };
  const std::vector<Row> rows = {
      {"plain", {}},
      {"", {}},
      {"span", {}},
      {"timespan:5", {}},
      {"7span:5", {}},
      {"makespan:{1..3}", {}},
      {"span:{1..2}", {"{1..2"}},
      {"--lr=span:[a,b]", {"[a,b"}},
      {"x_span:{1..2}.csv", {"{1..2"}},
      {"out-span:{1..2}-span:[x,y].csv", {"{1..2", "[x,y"}},
      {"span:{1..2}span:{3..4}", {"{1..2", "{3..4"}},
      {"span:1-span:3", {"=1-", "=3"}},
      {"span:a,b", {"=a,b"}},
      {"span:[[a],[b]]c", {"[[a],[b]"}},
      {"span: [a]", {"[a"}},
      {"span:", {"="}},
      {"span:[span:x]", {"[span:x"}},
  };
  for (const auto& row : rows) {
    CAPTURE(row.word);
    const auto marks = find_spans(row.word);
    REQUIRE(marks);
    std::vector<std::string> bodies;
    for (const auto& mark : *marks) {
      const char form = mark.form == kBraces ? '{' : mark.form == kBrackets ? '[' : '=';
      bodies.push_back(form + std::string(mark.body));
    }
    CHECK(bodies == row.bodies);
  }
  for (const std::string word : {"span:{1..3", "span:[a", "x=span:[[a]", "span:{1..2}-span:{3"}) {
    CAPTURE(word);
    const auto marks = find_spans(word);
    REQUIRE(!marks);
    CHECK(marks.error().message.find("lacks its closing") != std::string::npos);
  }
}
