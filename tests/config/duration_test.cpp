#include "hakuriver/duration.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <vector>

using namespace hakuriver;
using std::chrono::milliseconds;

TEST_CASE("durations are numbers with units, or seconds") {
  struct Row {
    std::string_view text;
    std::int64_t milliseconds;
  };
  for (const auto& row : std::vector<Row>{{"30s", 30'000},
                                          {"5m", 300'000},
                                          {"2h", 7'200'000},
                                          {"30d", 2'592'000'000},
                                          {"1w", 604'800'000},
                                          {"500ms", 500},
                                          {"0.5", 500},
                                          {"5", 5000},
                                          {"0", 0},
                                          {"0s", 0},
                                          {"1.5h", 5'400'000},
                                          {"1d12h", 129'600'000},
                                          {"1m30s500ms", 90'500},
                                          {"0.001", 1},
                                          {"0.1", 100},
                                          {"0.0009", 0},
                                          {"2.3s", 2300},
                                          {"36500d", 3'153'600'000'000}}) {
    CAPTURE(row.text);
    const auto duration = parse_duration(row.text);
    REQUIRE(duration);
    CHECK(duration->count() == row.milliseconds);
  }
}

TEST_CASE("what is no duration is refused") {
  for (const std::string text : {"",
                                 " ",
                                 "s",
                                 "5x",
                                 "5 s",
                                 " 5s",
                                 "5s ",
                                 "-5s",
                                 "+5s",
                                 "5.",
                                 ".5",
                                 "1..2s",
                                 "5s5",
                                 "5s5s",
                                 "5s1m",
                                 "5ms1s",
                                 "1e3",
                                 "5S",
                                 "inf",
                                 "nan",
                                 "1h30",
                                 "0x10s",
                                 "1234567890123456",
                                 "5s\n",
                                 "\xc3\xa9"}) {
    CAPTURE(text);
    const auto duration = parse_duration(text);
    REQUIRE(!duration);
    CHECK(duration.error().code == Errc::parse);
    CHECK(duration.error().message.find('\n') != 0);
  }
  for (const std::string text : {"36500d1ms", "36501d", "999999999999999w", "999999999999999"}) {
    CAPTURE(text);
    CHECK(parse_duration(text).error().code == Errc::limit);
  }
  CHECK(!to_duration(-1));
  CHECK(!to_duration(std::numeric_limits<double>::quiet_NaN()));
  CHECK(!to_duration(std::numeric_limits<double>::infinity()));
}

TEST_CASE("a duration is written in its largest whole unit and read back the same") {
  CHECK(to_duration_text(milliseconds{0}) == "0s");
  CHECK(to_duration_text(milliseconds{90'000}) == "90s");
  CHECK(to_duration_text(milliseconds{120'000}) == "2m");
  CHECK(to_duration_text(milliseconds{30 * 86'400'000LL}) == "30d");
  for (const std::int64_t count : {0LL, 1LL, 999LL, 1000LL, 1001LL, 60'000LL, 86'400'000LL, 3'153'600'000'000LL}) {
    CAPTURE(count);
    CHECK(*parse_duration(to_duration_text(milliseconds{count})) == milliseconds{count});
  }
}
