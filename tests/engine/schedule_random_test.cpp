// Random runs against the schedule's promises.
#include <doctest/doctest.h>

#include <map>
#include <random>
#include <set>

#include "hakuriver/run/schedule.hpp"

using namespace hakuriver;
using std::chrono::microseconds;

namespace {

// A backend that ends things at random, and what it has seen of each position.
class RandomRun {
 public:
  explicit RandomRun(std::uint64_t seed)
      : random_(seed), size_(pick(0, 60)), policy_(make_policy()), schedule_(size_, policy_) {}

  void play() {
    for (int step = 0; !schedule_.is_finished(); ++step) {
      REQUIRE(step < 20'000);
      start_some();
      obey();
      if (pick(0, 300) == 0) stop();
      pass_time();
      if (!running_.empty() && pick(0, 2) > 0) end_one();
    }
    check_end();
  }

 private:
  std::uint64_t pick(std::uint64_t least, std::uint64_t most) {
    return std::uniform_int_distribution<std::uint64_t>(least, most)(random_);
  }

  SchedulePolicy make_policy() {
    SchedulePolicy policy;
    policy.places = pick(1, 8);
    policy.longest_range = pick(0, 3) == 0 ? pick(1, 10) : 1;
    policy.retries = static_cast<std::uint32_t>(pick(0, 3));
    policy.backoff = microseconds{pick(0, 1) * 50};
    policy.delay = microseconds{pick(0, 3) == 0 ? 5 : 0};
    policy.term_grace = microseconds{20};
    if (policy.longest_range == 1 && pick(0, 1) == 0) policy.time_limit.most = microseconds{30};
    if (policy.longest_range == 1 && pick(0, 2) == 0) policy.time_limit.percent_of_median = 150;
    if (pick(0, 1) == 0) policy.most_ahead = pick(1, 8);
    policy.halt.when = static_cast<HaltPolicy::When>(pick(0, 2));
    policy.halt.failures = pick(1, 20);
    return policy;
  }

  void start_some() {
    while (true) {
      if (schedule_.next_untried(now_) && pick(0, 9) == 0) {
        skipped_.insert(*schedule_.next_untried(now_));
        schedule_.skip();
        continue;
      }
      const auto start = schedule_.next(now_);
      if (!start) return;
      if (!running_.empty() && pick(0, 9) == 0) {
        schedule_.refused(*start);
        continue;
      }
      CHECK_FALSE(is_over_);
      for (std::uint64_t i = start->first; i < start->first + start->count; ++i) take_start(i, start->attempt);
    }
  }

  void take_start(std::uint64_t position, std::uint32_t attempt) {
    CHECK(position < size_);
    CHECK(skipped_.count(position) == 0);
    CHECK(ended_.count(position) == 0);
    CHECK(running_.count(position) == 0);
    CHECK(attempt == ++attempts_[position]);
    CHECK(attempt <= policy_.retries + 1);
    CHECK((attempt > 1 || position - first_that_has_not_ended() < policy_.most_ahead));
    running_[position] = now_;
    CHECK(running_.size() <= policy_.places);
  }

  std::uint64_t first_that_has_not_ended() const {
    for (const auto& [position, number] : attempts_) {
      if (ended_.count(position) == 0) return position;
    }
    return size_;
  }

  void obey() {
    for (const auto& order : schedule_.due(now_)) {
      if (!order.position) {
        is_over_ = true;
        continue;
      }
      CHECK(running_.count(*order.position) == 1);
      CHECK(killed_.insert({*order.position, order.how}).second);
    }
    const auto wake = schedule_.wake_at();
    CHECK((!running_.empty() || wake || schedule_.is_finished() || schedule_.next_untried(now_)));
  }

  void stop() {
    schedule_.stop();
    is_over_ = true;
  }

  void pass_time() {
    const auto wake = schedule_.wake_at();
    if (running_.empty() && wake) now_ = std::max(now_, *wake);
    now_ = now_ + microseconds{pick(0, 5)};
  }

  void end_one() {
    const auto found = std::next(running_.begin(), static_cast<std::ptrdiff_t>(pick(0, running_.size() - 1)));
    const std::uint64_t position = found->first;
    AttemptReport report;
    report.exited_well = pick(0, 2) > 0;
    report.signaled = !report.exited_well && pick(0, 1) == 0;
    report.elapsed = now_ - found->second;
    const std::uint32_t attempt = attempts_[position];
    running_.erase(found);
    const auto verdict = schedule_.ended(position, attempt, report, now_);
    REQUIRE(verdict);
    CHECK_FALSE(schedule_.ended(position, attempt, report, now_));
    killed_.erase({position, StopHow::terminate});
    killed_.erase({position, StopHow::kill});
    if (verdict->verdict != EndVerdict::retry) CHECK(ended_.emplace(position, verdict->verdict).second);
    if (schedule_.is_stopping()) is_over_ = true;
  }

  void check_end() {
    const auto summary = schedule_.summary();
    std::map<EndVerdict, std::uint64_t> counts;
    for (const auto& [position, verdict] : ended_) ++counts[verdict];
    std::uint64_t unfinished = 0;
    std::uint64_t attempts = 0;
    for (const auto& [position, number] : attempts_) {
      attempts += number;
      if (ended_.count(position) == 0) ++unfinished;
    }
    CHECK(running_.empty());
    CHECK_FALSE(schedule_.next(now_ + microseconds{1'000'000}));
    CHECK(summary.succeeded == counts[EndVerdict::succeeded]);
    CHECK(summary.stopped == counts[EndVerdict::stopped]);
    CHECK(summary.failed == counts[EndVerdict::failed] + unfinished);
    CHECK(summary.skipped == skipped_.size());
    CHECK(summary.attempts == attempts);
    CHECK(summary.total ==
          summary.skipped + summary.succeeded + summary.failed + summary.stopped + summary.not_started);
    if (!is_over_) CHECK(unfinished + summary.not_started == 0);
  }

  std::mt19937_64 random_;
  const std::uint64_t size_;
  const SchedulePolicy policy_;
  RunSchedule schedule_;
  MonotonicTime now_{1'000};
  std::map<std::uint64_t, MonotonicTime> running_;
  std::map<std::uint64_t, std::uint32_t> attempts_;
  std::map<std::uint64_t, EndVerdict> ended_;
  std::set<std::uint64_t> skipped_;
  std::set<std::pair<std::uint64_t, StopHow>> killed_;
  bool is_over_ = false;
};

}  // namespace

TEST_CASE("in any run each command ends once or is counted as not started, within its attempts and the places") {
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    CAPTURE(seed);
    RandomRun(seed).play();
  }
}
