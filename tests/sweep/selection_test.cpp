#include "hakuriver/selection.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <unordered_set>
#include <vector>

using namespace hakuriver;

namespace {

constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();

std::vector<std::uint64_t> all_of(const Selection& selection) {
  std::vector<std::uint64_t> places;
  for (std::uint64_t k = 0; k < selection.size(); ++k) places.push_back(selection.at(k));
  return places;
}

bool is_permutation_of(std::uint64_t size, std::uint64_t seed) {
  const Permutation permutation(size, seed);
  std::vector<bool> seen(size, false);
  for (std::uint64_t i = 0; i < size; ++i) {
    const std::uint64_t place = permutation.at(i);
    if (place >= size || seen[place]) return false;
    seen[place] = true;
  }
  return true;
}

SelectionOptions shuffled(std::uint64_t seed) {
  SelectionOptions options;
  options.shuffle = true;
  options.seed = seed;
  return options;
}

}  // namespace

TEST_CASE("a shuffle has every combination exactly once, for all sizes to 2000") {
  for (std::uint64_t size = 0; size <= 2000; ++size) {
    CAPTURE(size);
    REQUIRE(is_permutation_of(size, 1));
    REQUIRE(is_permutation_of(size, size * 7919));
  }
  CHECK(is_permutation_of(999'983, 42));  // a prime: it fills no rectangle
  CHECK(is_permutation_of(1'000'000, 42));
}

TEST_CASE("a shuffle of a huge plan stays inside of it and repeats nothing") {
  const std::uint64_t two_to_32 = std::uint64_t{1} << 32;
  for (const std::uint64_t size : {two_to_32 - 1, two_to_32, two_to_32 + 1, std::uint64_t{1'000'000'000'000},
                                   std::uint64_t{1} << 63, (std::uint64_t{1} << 63) + 1, kMost - 1, kMost}) {
    CAPTURE(size);
    const Permutation permutation(size, 3);
    std::unordered_set<std::uint64_t> seen;
    for (const std::uint64_t base : {std::uint64_t{0}, size / 2, size - 20'000}) {
      for (std::uint64_t i = base; i < base + 20'000; ++i) {
        const std::uint64_t place = permutation.at(i);
        REQUIRE(place < size);
        REQUIRE(seen.insert(place).second);
      }
    }
  }
}

TEST_CASE("a shuffle is the same on every machine") {
  CHECK(all_of(Selection(8, shuffled(1))) == std::vector<std::uint64_t>{3, 0, 6, 4, 5, 2, 7, 1});
  CHECK(all_of(Selection(5, shuffled(42))) == std::vector<std::uint64_t>{2, 3, 1, 0, 4});
  CHECK(Permutation(1'000'000'000'000, 7).at(0) == 830'228'336'526);
  CHECK(Permutation(kMost, 7).at(kMost - 1) == 7'429'202'326'882'743'616);
}

TEST_CASE("every order of a few combinations is about as likely as any other") {
  for (const std::uint64_t size : {std::uint64_t{2}, std::uint64_t{3}, std::uint64_t{4}}) {
    CAPTURE(size);
    std::map<std::string, int> counts;
    constexpr int kSeeds = 24'000;
    for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
      std::string order;
      for (const auto place : all_of(Selection(size, shuffled(seed)))) order += std::to_string(place);
      ++counts[order];
    }
    const std::size_t orders = size == 2 ? 2 : size == 3 ? 6 : 24;
    CHECK(counts.size() == orders);
    for (const auto& entry : counts) {
      CAPTURE(entry.first);
      CHECK(entry.second == doctest::Approx(kSeeds / static_cast<double>(orders)).epsilon(0.15));
    }
  }
}

TEST_CASE("a sample is spread over the whole plan") {
  SelectionOptions options;
  options.sample = 10'000;
  options.seed = 9;
  const std::uint64_t size = 1'000'000'000'000;
  std::array<int, 10> tenths{};
  for (const auto place : all_of(Selection(size, options))) ++tenths[place / (size / 10)];
  for (const int count : tenths) CHECK(count == doctest::Approx(1000).epsilon(0.15));
}

TEST_CASE("a stretch of a plan") {
  SelectionOptions options;
  options.from = 3;
  CHECK(all_of(Selection(5, options)) == std::vector<std::uint64_t>{2, 3, 4});
  options.limit = 2;
  CHECK(all_of(Selection(5, options)) == std::vector<std::uint64_t>{2, 3});
  options.limit = kMost;
  CHECK(all_of(Selection(5, options)) == std::vector<std::uint64_t>{2, 3, 4});
  options.from = 5;
  CHECK(all_of(Selection(5, options)) == std::vector<std::uint64_t>{4});
  options.from = 6;
  CHECK(Selection(5, options).size() == 0);
  options.from = kMost;
  CHECK(Selection(5, options).size() == 0);
  CHECK(Selection(0, {}).size() == 0);
  CHECK(Selection(kMost, {}).size() == kMost);
  CHECK(Selection(kMost, {}).at(kMost - 1) == kMost - 1);
}

TEST_CASE("a sample is the beginning of the shuffle, and from and limit cut it") {
  const auto whole = all_of(Selection(100, shuffled(5)));
  SelectionOptions options;
  options.sample = 10;
  options.seed = 5;
  CHECK(all_of(Selection(100, options)) == std::vector<std::uint64_t>(whole.begin(), whole.begin() + 10));
  options.from = 4;
  options.limit = 3;
  CHECK(all_of(Selection(100, options)) == std::vector<std::uint64_t>(whole.begin() + 3, whole.begin() + 6));
  options.limit = 30;
  CHECK(all_of(Selection(100, options)) == std::vector<std::uint64_t>(whole.begin() + 3, whole.begin() + 10));
  options = {};
  options.sample = 1000;
  CHECK(Selection(100, options).size() == 100);
}
