#include "hakuriver/run/schedule.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace hakuriver;
using std::chrono::microseconds;
using std::chrono::seconds;

namespace {

constexpr MonotonicTime at(std::int64_t second) { return {second * 1'000'000}; }
constexpr AttemptReport kWell{true, false, false, seconds{1}};
constexpr AttemptReport kBadly{false, false, false, seconds{1}};
constexpr AttemptReport kBySignal{false, true, false, seconds{1}};

SchedulePolicy places(std::uint64_t number) {
  SchedulePolicy policy;
  policy.places = number;
  return policy;
}

// Starts what may start, one position each, and says which.
std::vector<std::uint64_t> start_all(RunSchedule& schedule, MonotonicTime now) {
  std::vector<std::uint64_t> started;
  while (const auto start = schedule.next(now)) started.push_back(start->first);
  return started;
}

EndVerdict end(RunSchedule& schedule, std::uint64_t position, const AttemptReport& report, MonotonicTime now,
               std::uint32_t attempt = 1) {
  const auto verdict = schedule.ended(position, attempt, report, now);
  REQUIRE(verdict.has_value());
  return verdict->verdict;
}

using Positions = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE("commands start in order, as many as there are places, and the next when one has ended") {
  RunSchedule schedule(5, places(2));
  CHECK(start_all(schedule, at(0)) == Positions{0, 1});
  CHECK_FALSE(schedule.wake_at());
  CHECK(end(schedule, 1, kWell, at(1)) == EndVerdict::succeeded);
  CHECK(start_all(schedule, at(1)) == Positions{2});
  end(schedule, 0, kBadly, at(2));
  end(schedule, 2, kWell, at(2));
  CHECK(start_all(schedule, at(2)) == Positions{3, 4});
  CHECK_FALSE(schedule.is_finished());
  end(schedule, 3, kWell, at(3));
  end(schedule, 4, kWell, at(3));
  CHECK(schedule.is_finished());
  const auto summary = schedule.summary();
  CHECK(summary.succeeded == 4);
  CHECK(summary.failed == 1);
  CHECK(summary.not_started == 0);
  CHECK(summary.attempts == 5);
}

TEST_CASE("a plan without commands is finished at once") {
  RunSchedule schedule(0, places(4));
  CHECK_FALSE(schedule.next(at(0)));
  CHECK(schedule.is_finished());
}

TEST_CASE("a report that comes late, twice or from another attempt changes nothing") {
  RunSchedule schedule(2, places(1));
  start_all(schedule, at(0));
  CHECK_FALSE(schedule.ended(1, 1, kWell, at(1)));
  CHECK_FALSE(schedule.ended(0, 2, kWell, at(1)));
  CHECK(schedule.ended(0, 1, kWell, at(1)));
  CHECK_FALSE(schedule.ended(0, 1, kBadly, at(1)));
  CHECK(schedule.summary().succeeded == 1);
}

TEST_CASE("what fails is tried again after its backoff, which doubles, and before what is new") {
  auto policy = places(1);
  policy.retries = 2;
  policy.backoff = seconds{10};
  RunSchedule schedule(3, policy);
  start_all(schedule, at(0));
  CHECK(end(schedule, 0, kBadly, at(1)) == EndVerdict::retry);
  CHECK(start_all(schedule, at(1)) == Positions{1});
  end(schedule, 1, kWell, at(11));
  const auto second = schedule.next(at(11));
  REQUIRE(second);
  CHECK(second->first == 0);
  CHECK(second->attempt == 2);
  CHECK(end(schedule, 0, kBadly, at(12), 2) == EndVerdict::retry);
  CHECK(start_all(schedule, at(31)) == Positions{2});
  end(schedule, 2, kWell, at(31));
  CHECK_FALSE(schedule.next(at(31)));
  CHECK(schedule.wake_at() == at(32));
  CHECK(schedule.next(at(32))->attempt == 3);
  CHECK(end(schedule, 0, kBadly, at(33), 3) == EndVerdict::failed);
  CHECK(schedule.is_finished());
  CHECK(schedule.summary().attempts == 5);
}

TEST_CASE("a backoff never grows beyond an hour") {
  auto policy = places(1);
  policy.retries = 100;
  policy.backoff = seconds{1};
  RunSchedule schedule(1, policy);
  MonotonicTime now = at(0);
  for (std::uint32_t attempt = 1; attempt <= 40; ++attempt) {
    REQUIRE(schedule.next(now));
    end(schedule, 0, kBadly, now, attempt);
    const auto next = schedule.wake_at();
    REQUIRE(next);
    CHECK(*next - now <= seconds{3600});
    now = *next;
  }
}

TEST_CASE("a halt policy counts failures or their share, and starts nothing later") {
  struct Row {
    HaltPolicy halt;
    std::uint64_t failures;  // that it takes, of 20; 0: it never halts
  };
  using When = HaltPolicy::When;
  for (const Row& row : std::vector<Row>{{{When::never, 1, 0}, 0},
                                         {{When::soon, 1, 0}, 1},
                                         {{When::soon, 3, 0}, 3},
                                         {{When::now, 3, 0}, 3},
                                         {{When::soon, 1, 10}, 2},
                                         {{When::soon, 1, 11}, 3},
                                         {{When::now, 1, 100}, 20}}) {
    auto policy = places(2);
    policy.halt = row.halt;
    RunSchedule schedule(20, policy);
    std::uint64_t failures = 0;
    while (const auto start = schedule.next(at(0))) {
      end(schedule, start->first, kBadly, at(1));
      ++failures;
    }
    CAPTURE(static_cast<int>(row.halt.when));
    CAPTURE(row.halt.percent);
    CHECK(failures == (row.failures == 0 ? 20 : row.failures));
    CHECK(schedule.summary().halted == (row.failures != 0));
    CHECK(schedule.summary().not_started == 20 - failures);
    CHECK(schedule.is_finished());
  }
}

TEST_CASE("halting now terminates what runs, kills it after the grace, and does not count it as failed") {
  auto policy = places(3);
  policy.halt = {HaltPolicy::When::now, 1, 0};
  policy.term_grace = seconds{5};
  RunSchedule schedule(10, policy);
  start_all(schedule, at(0));
  end(schedule, 1, kBadly, at(1));
  CHECK_FALSE(schedule.next(at(1)));
  CHECK(schedule.due(at(1)) == std::vector<StopOrder>{{std::nullopt, StopHow::terminate}});
  CHECK(schedule.due(at(2)).empty());
  CHECK(schedule.wake_at() == at(6));
  CHECK(end(schedule, 0, kBySignal, at(3)) == EndVerdict::stopped);
  CHECK(schedule.due(at(6)) == std::vector<StopOrder>{{std::nullopt, StopHow::kill}});
  CHECK(end(schedule, 2, kWell, at(6)) == EndVerdict::succeeded);
  CHECK(schedule.is_finished());
  const auto summary = schedule.summary();
  CHECK(summary.failed == 1);
  CHECK(summary.stopped == 1);
  CHECK(summary.not_started == 7);
}

TEST_CASE("what waits for another attempt when the run ends has failed") {
  auto policy = places(1);
  policy.retries = 5;
  policy.backoff = seconds{60};
  RunSchedule schedule(1, policy);
  start_all(schedule, at(0));
  end(schedule, 0, kBadly, at(1));
  CHECK_FALSE(schedule.is_finished());
  schedule.finish();
  CHECK(schedule.is_finished());
  CHECK(schedule.summary().failed == 1);
}

TEST_CASE("an attempt at its time limit is terminated, then killed, and has failed whatever it exits with") {
  auto policy = places(2);
  policy.time_limit.most = seconds{10};
  policy.term_grace = seconds{5};
  RunSchedule schedule(2, policy);
  REQUIRE(schedule.next(at(0)));
  REQUIRE(schedule.next(at(4)));
  CHECK(schedule.wake_at() == at(10));
  CHECK(schedule.due(at(9)).empty());
  CHECK(schedule.due(at(10)) == std::vector<StopOrder>{{0, StopHow::terminate}});
  CHECK(schedule.wake_at() == at(14));
  CHECK(schedule.due(at(15)) == std::vector<StopOrder>{{1, StopHow::terminate}, {0, StopHow::kill}});
  const auto first = schedule.ended(0, 1, kBySignal, at(15));
  CHECK(first->timed_out);
  CHECK(first->verdict == EndVerdict::failed);
  const auto second = schedule.ended(1, 1, kWell, at(16));
  CHECK(second->timed_out);
  CHECK(second->verdict == EndVerdict::failed);
  CHECK(schedule.summary().timed_out == 2);
}

TEST_CASE("a limit in percent of the median begins with three successes, and holds for what runs already") {
  auto policy = places(5);
  policy.time_limit.percent_of_median = 200;
  RunSchedule schedule(5, policy);
  start_all(schedule, at(0));
  CHECK_FALSE(schedule.wake_at());
  for (std::uint64_t i = 0; i < 3; ++i) {
    end(schedule, i, {true, false, false, seconds{i == 0 ? 1 : 10}}, at(10));
  }
  const auto wake = schedule.wake_at();
  REQUIRE(wake);
  CHECK(*wake >= at(20));
  CHECK(*wake <= at(20) + microseconds{20'000'000 / 32});
  CHECK(schedule.due(at(19)).empty());
  CHECK(schedule.due(at(21)).size() == 2);
}

TEST_CASE("starts keep the delay between them") {
  auto policy = places(10);
  policy.delay = seconds{2};
  RunSchedule schedule(3, policy);
  CHECK(start_all(schedule, at(0)) == Positions{0});
  CHECK(schedule.wake_at() == at(2));
  CHECK(start_all(schedule, at(1)).empty());
  CHECK(start_all(schedule, at(2)) == Positions{1});
}

TEST_CASE("what is known to be done is left out and counted") {
  RunSchedule schedule(4, places(1));
  CHECK(schedule.next_untried(at(0)) == 0);
  schedule.skip();
  schedule.skip();
  CHECK(start_all(schedule, at(0)) == Positions{2});
  CHECK_FALSE(schedule.next_untried(at(0)));
  end(schedule, 2, kWell, at(1));
  schedule.skip();
  CHECK(schedule.is_finished());
  CHECK(schedule.summary().skipped == 3);
}

TEST_CASE("a start that the backend has no room for waits until something has ended") {
  RunSchedule schedule(3, places(3));
  REQUIRE(schedule.next(at(0)));
  const auto second = schedule.next(at(0));
  schedule.refused(*second);
  CHECK_FALSE(schedule.next(at(1)));
  CHECK_FALSE(schedule.wake_at());
  end(schedule, 0, kWell, at(2));
  CHECK(start_all(schedule, at(2)) == Positions{1, 2});
  CHECK(schedule.summary().attempts == 3);
}

TEST_CASE("one start may be the whole plan, and its ends come in any order") {
  constexpr std::uint64_t kMany = 1'000'000'000'000;
  SchedulePolicy policy = places(~std::uint64_t{0});
  policy.longest_range = ~std::uint64_t{0};
  RunSchedule schedule(kMany, policy);
  const auto start = schedule.next(at(0));
  REQUIRE(start);
  CHECK(start->count == kMany);
  CHECK_FALSE(schedule.next(at(0)));
  for (const std::uint64_t i : {kMany - 1, std::uint64_t{0}, std::uint64_t{500}, std::uint64_t{499}, kMany - 2}) {
    CHECK(end(schedule, i, kWell, at(1)) == EndVerdict::succeeded);
    CHECK_FALSE(schedule.ended(i, 1, kWell, at(1)));
  }
  CHECK(schedule.running() == kMany - 5);
}

TEST_CASE("the median is told within a thirty-second part") {
  for (const std::int64_t middle : std::vector<std::int64_t>{0, 1, 31, 32, 33, 1000, 123456, 3600000000}) {
    RuntimeMedian median;
    for (const std::int64_t value : {std::int64_t{0}, middle, middle * 1000 + 7}) median.add(microseconds{value});
    const auto told = median.median().count();
    CAPTURE(middle);
    CHECK(told >= middle);
    CHECK(told <= middle + middle / 32);
  }
  CHECK(RuntimeMedian().median().count() == 0);
}
