#include "platform/clock.hpp"

#include <doctest/doctest.h>
#include <time.h>

using namespace hakuriver;

TEST_CASE("the monotonic clock never goes back and counts since boot") {
  const auto first = platform::monotonic_now();
  MonotonicTime last = first;
  for (int i = 0; i < 10'000; ++i) {
    const auto next = platform::monotonic_now();
    REQUIRE(next >= last);
    last = next;
  }
  CHECK(last > first);
  timespec boot{};
  ::clock_gettime(CLOCK_BOOTTIME, &boot);
  CHECK(last.microseconds / 1'000'000 <= boot.tv_sec);
}

TEST_CASE("the UTC clock is the system's") {
  const auto before = ::time(nullptr);
  const auto now = platform::now();
  CHECK(now.utc.microseconds / 1'000'000 >= before - 1);
  CHECK(now.utc.microseconds / 1'000'000 <= before + 5);
  CHECK(now.monotonic.microseconds > 0);
}
