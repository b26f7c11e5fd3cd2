#include "platform/random.hpp"

#include <doctest/doctest.h>

#include <set>

using namespace hakuriver;

TEST_CASE("random numbers use all bits and do not repeat") {
  std::set<std::uint64_t> seen;
  std::uint64_t ones = 0;
  std::uint64_t zeros = 0;
  for (int i = 0; i < 1000; ++i) {
    const auto number = platform::random_number();
    REQUIRE(number);
    seen.insert(*number);
    ones |= *number;
    zeros |= ~*number;
  }
  CHECK(seen.size() == 1000);
  CHECK(ones == ~std::uint64_t{0});
  CHECK(zeros == ~std::uint64_t{0});
}

TEST_CASE("random text is lower-case hex of the length asked for") {
  for (const std::size_t bytes :
       {std::size_t{0}, std::size_t{1}, std::size_t{16}, std::size_t{32}, std::size_t{1024}}) {
    CAPTURE(bytes);
    const auto text = platform::random_hex(bytes);
    REQUIRE(text);
    CHECK(text->size() == 2 * bytes);
    CHECK(text->find_first_not_of("0123456789abcdef") == std::string::npos);
  }
  CHECK(*platform::random_hex(16) != *platform::random_hex(16));
  const auto refused = platform::random_hex(1025);
  REQUIRE(!refused);
  CHECK(refused.error().code == Errc::limit);
}
