#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "hakuriver/command_sweep.hpp"
#include "hakuriver/sweep_words.hpp"

using namespace hakuriver;

namespace {

CommandSweep sweep_of(const Argv& words, SweepOrder order = SweepOrder::first_slowest) {
  auto parsed = parse_sweep(words, order);
  REQUIRE(parsed);
  return std::move(parsed->sweep);
}

}  // namespace

TEST_CASE("a span has the name of its option or assignment, and keeps it when a shell expanded it") {
  struct Row {
    Argv words;
    std::vector<std::string> names;
  };
  const std::vector<Row> rows = {
      {{"p", "lr=span:[1,2]"}, {"lr"}},
      {{"p", "--lr=span:[1,2]"}, {"lr"}},
      {{"p", "--lr", "span:[1,2]"}, {"lr"}},
      {{"p", "-n", "span:[1,2]"}, {"n"}},
      {{"p", "--batch-size", "span:1..2"}, {"batch-size"}},
      {{"p", "optimizer.lr=span:1..2"}, {"optimizer.lr"}},
      {{"p", "--set=lr=span:1..2"}, {"lr"}},
      {{"p", "x=span:[1,2],y=span:[3,4]"}, {"x", "y"}},
      {{"p", "--lr=span:1", "--lr=span:2"}, {"lr"}},
      {{"p", "--lr", "span:1", "span:2", "span:[A,B]"}, {"lr", "2"}},
      {{"p", "lr=span:1", "lr=span:2", "lr=span:1", "lr=span:2"}, {"lr", "lr_2"}},
      {{"p", "--lr", "span:1..2", "--lr", "span:3..4", "lr_2=span:5..6"}, {"lr", "lr_2", "lr_2_2"}},
      {{"p", "--", "span:1..2"}, {"1"}},
      {{"p", "-", "span:1..2"}, {"1"}},
      {{"p", "-5", "span:1..2"}, {"1"}},
      {{"p", "a b", "span:1..2"}, {"1"}},
      {{"p", "=span:1..2", "5=span:1..2"}, {"1", "2"}},
      {{"p", "--out", "run-span:1..2"}, {"1"}},
      {{"p", "\xc3\xa9=span:1..2"}, {"\xc3\xa9"}},
      {{"p", "--lr={x}", "span:1..2"}, {"1"}},
  };
  for (const auto& row : rows) {
    CAPTURE(shell_quote(row.words));
    CHECK(sweep_of(row.words).names() == row.names);
  }
}

TEST_CASE("placeholders in other words stand for the axis of that name and for the combination's number") {
  struct Row {
    Argv words;
    std::uint64_t index;
    Argv expected;
  };
  const std::vector<Row> rows = {
      {{"p", "--lr=span:[0.1,0.2]", "--out", "run-{lr}.txt"}, 1, {"p", "--lr=0.2", "--out", "run-0.2.txt"}},
      {{"p", "{lr}", "--lr", "span:[0.1,0.2]"}, 0, {"p", "0.1", "--lr", "0.1"}},
      {{"p", "{lr}{lr}-{#}", "lr=span:[a,b]", "span:[c,d]"}, 3, {"p", "bb-4", "lr=b", "d"}},
      {{"p-{lr}", "lr=span:[a,b]"}, 1, {"p-b", "lr=b"}},
      {{"p", "--out={lr}", "lr=span:[a,b]"}, 1, {"p", "--out=b", "lr=b"}},
      {{"p", "{#}"}, 0, {"p", "1"}},
      {{"p", "{lr}-span:[x,y]", "lr=span:[a,b]"}, 1, {"p", "b-x", "lr=b"}},
      {{"p", "lr=span:1", "lr=span:2", "{lr}"}, 1, {"p", "lr=2", "2"}},
  };
  for (const auto& row : rows) {
    CAPTURE(shell_quote(row.words));
    CHECK(sweep_of(row.words).at(row.index) == row.expected);
  }
}

TEST_CASE("a sweep of shell lines has the same lines") {
  const CommandSweep sweeps[] = {sweep_of({"true"}),
                                 sweep_of({"echo $HOME", "x=span:[a b,$c,]", "{x}-{#}", "|", "cat"}),
                                 sweep_of({"span:{-1..1}", "it's", "span:[it's]"})};
  for (const auto& sweep : sweeps) {
    const CommandSweep lines = sweep.as_shell_lines();
    CHECK(lines.names() == sweep.names());
    REQUIRE(lines.size() == sweep.size());
    for (std::uint64_t i = 0; i < sweep.size(); ++i) {
      CHECK(lines.at(i) == Argv{"/bin/sh", "-c", sweep.shell_line_at(i)});
      CHECK(lines.parameters_at(i) == sweep.parameters_at(i));
    }
  }
}

TEST_CASE("other braces stay as they are") {
  for (const std::string word : {"{}", "{", "}", "{x}", "{1}", "{{", "{{}}", "{ lr }", "{LR}", "${lr}", "${#}", "{lr",
                                 "lr}", "{#", "{##}", "{lr,x}", "{%%}"}) {
    CAPTURE(word);
    const auto sweep = sweep_of({"p", word, "lr=span:[a,b]", "span:[c]"});
    CHECK(sweep.at(0) == Argv{"p", word, "lr=a", "c"});
    CHECK(sweep.slot_places_at(0).empty());
  }
  CHECK(sweep_of({"p", "{{lr}}", "lr=span:[a,b]"}).at(0)[1] == "{a}");
  CHECK(sweep_of({"p", "{x{lr}", "lr=span:[a,b]"}).at(0)[1] == "{xa");
}

TEST_CASE("values are handed on as they are, whatever braces they hold") {
  const auto sweep = sweep_of({"p", "lr=span:[{lr},{#},{%}]", "{lr}"});
  CHECK(sweep.at(0) == Argv{"p", "lr={lr}", "{lr}"});
  CHECK(sweep.at(1) == Argv{"p", "lr={#}", "{#}"});
  CHECK(sweep.at(2) == Argv{"p", "lr={%}", "{%}"});
  CHECK(sweep.slot_places_at(2).empty());
}

TEST_CASE("the number of the slot is put where it is wanted when the command starts") {
  const SweepPlan plan(sweep_of({"p", "a{%}b{%}-{lr}", "lr=span:[{%},x]", "{%}", "{#}"}));
  Command command = plan.at(0);
  CHECK(command.argv == Argv{"p", "a{%}b{%}-{%}", "lr={%}", "{%}", "1"});
  CHECK(command.slot_places == std::vector<SlotPlace>{{1, 1}, {1, 5}, {3, 0}});
  fill_slot(command, 12);
  CHECK(command.argv == Argv{"p", "a12b12-{%}", "lr={%}", "12", "1"});
  CHECK(command.slot_places.empty());
  fill_slot(command, 13);
  CHECK(command.argv[3] == "12");
}

TEST_CASE("texts beside the words have the same placeholders") {
  const auto sweep = sweep_of({"p", "lr=span:[a,b]"});
  std::vector<std::size_t> slots;
  CHECK(sweep.fill(sweep.template_of("out/{lr}-{#}"), 1, slots) == "out/b-2");
  CHECK(sweep.fill(sweep.template_of(""), 1, slots).empty());
  CHECK(sweep.fill(sweep.template_of("${lr} {x}"), 0, slots) == "${lr} {x}");
  CHECK(slots.empty());
  CHECK(sweep.fill(sweep.template_of("{%}/{%}"), 0, slots) == "{%}/{%}");
  CHECK(slots == std::vector<std::size_t>{0, 4});

  Command command{{"p"}, {"A=1", "B={%}"}, "in/{%}", {}, ""};
  command.slot_places = {{2, 2}, {3, 3}};
  fill_slot(command, 7);
  CHECK(command.environment == std::vector<std::string>{"A=1", "B=7"});
  CHECK(command.working_directory == "in/7");
}

TEST_CASE("placeholders have types, and name no axis") {
  const auto sweep = sweep_of({"m:f", "n=span:{1..2}", "{n}", "x{n}", "{#}", "--o={n}"});
  std::string types;
  for (const auto& value : sweep.values_at(0)) types += value.is_integer ? 'i' : 's';
  CHECK(types == "ssisis");
  CHECK(sweep.names() == std::vector<std::string>{"n"});
  CHECK(!sweep_of({"p{#}", "span:1..2"}).fixed_program());
}

TEST_CASE("spans that are paired move together") {
  const auto sweep = sweep_of({"p", "span:1..3", "--b", "span:[x,y,z]", "{b}"}, SweepOrder::together);
  CHECK(sweep.size() == 3);
  CHECK(sweep.at(0) == Argv{"p", "1", "--b", "x", "x"});
  CHECK(sweep.at(2) == Argv{"p", "3", "--b", "z", "z"});
  CHECK(sweep_of({"p"}, SweepOrder::together).size() == 1);
  const auto huge = sweep_of({"p", "span:1..1000000000000", "span:{1000000000000..1}"}, SweepOrder::together);
  CHECK(huge.at(huge.size() - 1) == Argv{"p", "1000000000000", "1"});

  const auto unequal = parse_sweep({"p", "span:1..3", "span:[x,y]"}, SweepOrder::together);
  REQUIRE(!unequal);
  CHECK(unequal.error().message.find("3 values and span number 2 has 2") != std::string::npos);
}
