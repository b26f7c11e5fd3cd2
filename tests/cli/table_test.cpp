#include "cli/table.hpp"

#include <doctest/doctest.h>

#include <string>

namespace hakuriver::cli {
namespace {

TEST_CASE("columns line up, and the last one is cut to the width") {
  Table table({{"ID", true}, {"STATE"}, {"COMMAND", false, true}});
  table.add({{"7"}, {"running"}, {"python train.py --with-a-long-name"}});
  table.add({{"12"}, {"ok"}, {"true"}});
  CHECK(table.render({30, false}) ==
        "ID  STATE    COMMAND\n"
        " 7  running  python train.py …\n"
        "12  ok       true\n");
}

TEST_CASE("text that could move the cursor is shown, not obeyed") {
  struct Row {
    std::string_view text;
    std::string_view shown;
  };
  for (const auto& row : {Row{"plain", "plain"}, Row{"a\nb", "a\\nb"}, Row{"a\tb\r", "a\\tb\\r"},
                          Row{"\x1b[31mred", "\\x1b[31mred"}, Row{"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
                          Row{"\xff\xfe", "\\xff\\xfe"}, Row{"\xc3", "\\xc3"}, Row{"\xc2\x9b", "\\xc2\\x9b"},
                          Row{"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"}, Row{"", ""}, Row{"\x7f", "\\x7f"}}) {
    CAPTURE(row.text);
    CHECK(printable(row.text) == row.shown);
  }
}

TEST_CASE("shortening counts characters, not bytes") {
  CHECK(shorten("gr\xc3\xbc\xc3\x9f"
                "e",
                5) ==
        "gr\xc3\xbc\xc3\x9f"
        "e");
  CHECK(shorten("gr\xc3\xbc\xc3\x9f"
                "e",
                4) == "gr\xc3\xbc…");
  CHECK(shorten("abc", 1) == "…");
  CHECK(shorten("abc", 0).empty());
  CHECK(shorten("", 0).empty());
}

TEST_CASE("colour is only where the look has it, and takes no columns") {
  Table table({{"STATE"}, {"X"}});
  table.add({{"bad", Tone::bad}, {"y"}});
  CHECK(table.render({80, true}) == "STATE  X\n\x1b[31mbad\x1b[0m    y\n");
  CHECK(table.render({80, false}) == "STATE  X\nbad    y\n");
}

TEST_CASE("columns that do not shrink stay whole where there is no room") {
  Table table({{"ID"}, {"NAME", false, true}});
  table.add({{"7319847234987230000"}, {"a-rather-long-name"}});
  CHECK(table.render({10, false}) == "ID                   NAME\n7319847234987230000  a-rathe…\n");
}

}  // namespace
}  // namespace hakuriver::cli
