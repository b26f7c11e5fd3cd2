#include "hakuriver/sweep.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

#include "hakuriver/command_sweep.hpp"
#include "hakuriver/sweep_words.hpp"

using namespace hakuriver;

namespace {

Axis letters(std::size_t count) {
  ValueList list;
  for (std::size_t i = 0; i < count; ++i) list.items.emplace_back(1, static_cast<char>('a' + i));
  return Axis(std::move(list));
}

Axis numbers(std::int64_t last) { return Axis(*Range::between(1, last, 1, {})); }

}  // namespace

TEST_CASE("random access to a sweep agrees with nested loops, in both orders") {
  const auto slow = Sweep::over({letters(2), letters(3), letters(4)}, SweepOrder::first_slowest);
  const auto fast = Sweep::over({letters(2), letters(3), letters(4)}, SweepOrder::first_fastest);
  REQUIRE(slow);
  REQUIRE(fast);
  CHECK(slow->size() == 24);
  std::uint64_t i = 0;
  for (std::uint64_t a = 0; a < 2; ++a) {
    for (std::uint64_t b = 0; b < 3; ++b) {
      for (std::uint64_t c = 0; c < 4; ++c) CHECK(slow->positions(i++) == std::vector<std::uint64_t>{a, b, c});
    }
  }
  i = 0;
  for (std::uint64_t c = 0; c < 4; ++c) {
    for (std::uint64_t b = 0; b < 3; ++b) {
      for (std::uint64_t a = 0; a < 2; ++a) CHECK(fast->positions(i++) == std::vector<std::uint64_t>{a, b, c});
    }
  }
}

TEST_CASE("a sweep's size is exact up to 64 bits, and an error beyond") {
  CHECK(Sweep::over({})->size() == 1);
  CHECK(Sweep::over({letters(3), Axis(ValueList{}), numbers(7)})->size() == 0);
  const std::int64_t million = 1'000'000;
  CHECK(Sweep::over({numbers(million), numbers(million), numbers(million)})->size() == 1'000'000'000'000'000'000u);
  // 2^64 - 1 = 3 * 5 * 17 * 257 * 641 * 65537 * 6700417
  const auto full = Sweep::over({numbers(65'537), numbers(6'700'417), numbers(3 * 5 * 17), numbers(257 * 641)});
  REQUIRE(full);
  CHECK(full->size() == std::numeric_limits<std::uint64_t>::max());
  CHECK(full->positions(full->size() - 1) == std::vector<std::uint64_t>{65'536, 6'700'416, 254, 164'736});
  const auto over = Sweep::over({numbers(std::int64_t{1} << 32), numbers(std::int64_t{1} << 32)});
  REQUIRE(!over);
  CHECK(over.error().code == Errc::limit);
  CHECK(!Sweep::over({numbers(std::int64_t{1} << 62), numbers(5)}));
}

TEST_CASE("a sweep of 10 to the 12 combinations costs nothing until it runs") {
  const auto words = parse_sweep({"x", "span:{1..1000000000000}"});
  REQUIRE(words);
  CHECK(words->sweep.size() == 1'000'000'000'000);
  CHECK(words->sweep.at(999'999'999'999) == Argv{"x", "1000000000000"});
  const auto product = parse_sweep({"x", "span:{1..10000000}", "span:1..100000"});
  REQUIRE(product);
  CHECK(product->sweep.at(product->sweep.size() - 1) == Argv{"x", "10000000", "100000"});
  CHECK(!parse_sweep({"x", "span:{1..10000000000}", "span:1..10000000000"}));
}

TEST_CASE("axes are named after their options, else numbered") {
  const auto words = parse_sweep({"p", "--lr=span:[0.1]", "--batch", "span:{8}", "-n", "span:[x]", "span:[y]",
                                  "--flag=1", "span:[z]", "a-span:[q]"});
  REQUIRE(words);
  std::vector<std::string> names;
  for (const auto& parameter : words->sweep.parameters_at(0)) names.push_back(parameter.name);
  CHECK(names == std::vector<std::string>{"lr", "batch", "n", "4", "5", "6"});
  CHECK(name_of(words->sweep.parameters_at(0)) == "lr=0.1,batch=8,n=x,4=y,5=z,6=q");
}

TEST_CASE("a plan of a sweep gives commands with parameters and names") {
  auto words = parse_sweep({"p", "--lr=span:[0.1,0.2]", "span:{1..2}"});
  REQUIRE(words);
  const SweepPlan plan(std::move(words->sweep));
  CHECK(plan.size() == 4);
  const Command command = plan.at(2);
  CHECK(command.argv == Argv{"p", "--lr=0.2", "1"});
  CHECK(command.parameters == std::vector<Parameter>{{"lr", {"0.2", false}}, {"2", {"1", true}}});
  CHECK(command.name == "lr=0.2,2=1");
  CHECK(command.environment.empty());
}

TEST_CASE("a program that does not vary is known before the first combination") {
  CHECK(parse_sweep({"p", "span:1..2"})->sweep.fixed_program() == "p");
  CHECK(parse_sweep({"./span:[a]", "span:1..2"})->sweep.fixed_program() == "./a");
  CHECK(!parse_sweep({"./span:[a,b]"})->sweep.fixed_program());
}
