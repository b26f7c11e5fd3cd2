// What a run decides: which commands start next, which attempts are ended, when it is to be asked again, when it is
// over.
//
//   while (auto start = schedule.next(now)) { ... }          start these
//   for (const auto& order : schedule.due(now)) { ... }      end these
//   wait until schedule.wake_at(), or something has ended: schedule.ended(...)
//
// It has no clock, starts nothing and knows no command: commands are positions 0 .. size - 1, in the order in which
// they start. Its memory is what runs and what waits for another attempt; a start, an end and a deadline cost the same
// whatever the size.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "hakuriver/run/running_ranges.hpp"
#include "hakuriver/run/runtime_median.hpp"
#include "hakuriver/run/schedule_policy.hpp"
#include "hakuriver/run/waiting_retries.hpp"
#include "hakuriver/run_events.hpp"
#include "hakuriver/run_options.hpp"
#include "hakuriver/time.hpp"

namespace hakuriver {
inline namespace v1 {

class RunSchedule {
 public:
  // So many commands may wait for another attempt before nothing new is started.
  static constexpr std::size_t kMostWaiting = 65'536;
  static constexpr std::uint64_t kEnoughForMedian = 3;  // successes before a limit by the median begins

  RunSchedule(std::uint64_t size, const SchedulePolicy& policy) : size_(size), policy_(policy) {
    summary_.total = size;
  }

  // What is to be started, at most `most` positions; it counts as running from here on. None: nothing now.
  std::optional<PlannedStart> next(MonotonicTime now, std::uint64_t most = ~std::uint64_t{0}) {
    if (!may_start(now)) return std::nullopt;
    PlannedStart start;
    if (has_due_retry(now)) {
      const auto retry = waiting_.take();
      start = {retry.position, 1, retry.attempt};
    } else if (may_start_fresh()) {
      start = {
          next_fresh_,
          std::min({most, policy_.longest_range, policy_.places - running_.size(), size_ - next_fresh_, room_ahead()}),
          1};
      next_fresh_ += start.count;
    } else {
      return std::nullopt;
    }
    run(start, now);
    return start;
  }

  // The position that next() would begin with, where it has not been tried before: the caller may know that it is done.
  std::optional<std::uint64_t> next_untried(MonotonicTime now) const {
    if (!may_start(now) || has_due_retry(now) || !may_start_fresh()) return std::nullopt;
    return next_fresh_;
  }

  // Leaves out the position that next_untried() has told.
  void skip() noexcept {
    ++next_fresh_;
    ++summary_.skipped;
  }

  // What next() has just given cannot start: nothing does until something has ended, or release(). Where nothing runs
  // it can be had again at once.
  void refused(const PlannedStart& start) {
    put_back(start);
    is_held_ = running_.size() > 0;
  }

  // The same, but nothing starts in any case.
  void hold(const PlannedStart& start) {
    put_back(start);
    is_held_ = true;
  }
  void release() noexcept { is_held_ = false; }

  // None where no such attempt runs: the report came late, or twice.
  std::optional<AttemptVerdict> ended(std::uint64_t position, std::uint32_t attempt, const AttemptReport& report,
                                      MonotonicTime now) {
    const auto range = running_.find(position);
    if (!range || range->attempt != attempt) return std::nullopt;
    AttemptVerdict verdict;
    verdict.timed_out = report.timed_out || range->state != RunningState::runs;
    running_.remove(position, 1);
    is_held_ = false;
    verdict.verdict = judge(report, verdict.timed_out, attempt);
    count(verdict, position, attempt, report.elapsed, now);
    return verdict;
  }

  // Where nothing more starts anyway: the attempt was ended before it had started, and counts as never made. False
  // where the run goes on, or no such attempt runs.
  bool withdrawn(std::uint64_t position, std::uint32_t attempt) {
    const auto range = running_.find(position);
    if (!is_stopping_ || !range || range->attempt != attempt) return false;
    running_.remove(position, 1);
    --summary_.attempts;
    if (attempt == 1) {
      ++withdrawn_;
    } else {
      ++summary_.failed;
    }
    return true;
  }

  // Starts nothing more. Commands that wait for another attempt have failed.
  void finish() {
    is_stopping_ = true;
    summary_.failed += waiting_.size();
    waiting_.clear();
  }

  // Starts nothing more, because the user has ended what runs: what ends by a signal has been stopped.
  void stop() {
    finish();
    is_ending_all_ = true;
  }

  // What is to be ended now. Each order is given once.
  std::vector<StopOrder> due(MonotonicTime now) {
    std::vector<StopOrder> orders;
    if (halts_now_) {
      halts_now_ = false;
      orders.push_back({std::nullopt, StopHow::terminate});
      kill_all_at_ = now + policy_.term_grace;
    }
    if (kill_all_at_ && *kill_all_at_ <= now) {
      kill_all_at_.reset();
      orders.push_back({std::nullopt, StopHow::kill});
    }
    const auto limit = time_limit();
    if (limit) end_those_since(RunningState::runs, *limit, now, orders);
    end_those_since(RunningState::terminated, policy_.term_grace, now, orders);
    return orders;
  }

  // When next() or due() may have something that they do not have now; none: only after an end.
  std::optional<MonotonicTime> wake_at() const {
    std::optional<MonotonicTime> at = kill_all_at_;
    const auto take = [&at](MonotonicTime time) { at = at ? std::min(*at, time) : time; };
    const auto limit = time_limit();
    if (const auto* oldest = running_.oldest(RunningState::runs); limit && oldest) take(oldest->since + *limit);
    if (const auto* oldest = running_.oldest(RunningState::terminated)) take(oldest->since + policy_.term_grace);
    if (is_stopping_ || is_held_ || running_.size() >= policy_.places) return at;
    if (may_start_fresh()) take(next_start_);
    if (!waiting_.empty()) take(std::max(next_start_, waiting_.next().due));
    return at;
  }

  // Nothing runs and nothing will be started.
  bool is_finished() const noexcept {
    return running_.size() == 0 && (is_stopping_ || (next_fresh_ == size_ && waiting_.empty()));
  }

  bool is_stopping() const noexcept { return is_stopping_; }
  // It starts nothing more, and what runs is not to be ended for that.
  bool is_finishing() const noexcept { return is_stopping_ && !is_ending_all_; }
  std::uint64_t running() const noexcept { return running_.size(); }
  std::size_t waiting() const noexcept { return waiting_.size(); }

  // Complete when it is finished; `changed`, `interrupted` and `elapsed` are the caller's.
  RunSummary summary() const noexcept {
    RunSummary all = summary_;
    all.not_started = size_ - next_fresh_ + withdrawn_;
    return all;
  }

 private:
  void put_back(const PlannedStart& start) {
    running_.remove(start.first, start.count);
    summary_.attempts -= start.count;
    if (start.attempt == 1) {
      next_fresh_ = start.first;
    } else {
      waiting_.add({{}, start.first, start.attempt});
    }
  }

  bool may_start(MonotonicTime now) const noexcept {
    return !is_stopping_ && !is_held_ && running_.size() < policy_.places && now >= next_start_;
  }
  bool may_start_fresh() const noexcept {
    return next_fresh_ < size_ && waiting_.size() < kMostWaiting && room_ahead() > 0;
  }
  // How many more may start before the first one that has not ended does.
  std::uint64_t room_ahead() const noexcept {
    const std::uint64_t ahead = next_fresh_ - std::min({next_fresh_, running_.first(), waiting_.first()});
    return policy_.most_ahead - std::min(policy_.most_ahead, ahead);
  }
  bool has_due_retry(MonotonicTime now) const { return !waiting_.empty() && waiting_.next().due <= now; }

  void run(const PlannedStart& start, MonotonicTime now) {
    running_.add(start.first, start.count, start.attempt, now);
    summary_.attempts += start.count;
    if (policy_.delay.count() > 0) next_start_ = now + policy_.delay;
  }

  // One step further: what runs is terminated, what has been terminated is killed.
  void end_those_since(RunningState state, std::chrono::microseconds span, MonotonicTime now,
                       std::vector<StopOrder>& orders) {
    const auto how = state == RunningState::runs ? StopHow::terminate : StopHow::kill;
    while (const auto* oldest = running_.oldest(state)) {
      if (oldest->since + span > now) return;
      orders.push_back({oldest->first, how});
      running_.advance_oldest(state, now);
    }
  }

  std::optional<std::chrono::microseconds> time_limit() const noexcept {
    const TimeLimit& limit = policy_.time_limit;
    if (limit.percent_of_median <= 0) {
      return limit.most.count() > 0 ? std::optional(limit.most) : std::nullopt;
    }
    if (runtimes_.count() < kEnoughForMedian) return std::nullopt;
    const double microseconds = static_cast<double>(runtimes_.median().count()) * limit.percent_of_median / 100;
    constexpr double kLongest = 1e15;  // thirty years
    return std::chrono::microseconds{static_cast<std::int64_t>(std::min(microseconds, kLongest)) + 1};
  }

  EndVerdict judge(const AttemptReport& report, bool timed_out, std::uint32_t attempt) const noexcept {
    if (report.exited_well && !timed_out) return EndVerdict::succeeded;
    if (is_ending_all_ && report.signaled && !timed_out) return EndVerdict::stopped;
    return attempt <= policy_.retries && !is_stopping_ ? EndVerdict::retry : EndVerdict::failed;
  }

  void count(const AttemptVerdict& verdict, std::uint64_t position, std::uint32_t attempt,
             std::chrono::microseconds elapsed, MonotonicTime now) {
    switch (verdict.verdict) {
      case EndVerdict::succeeded:
        ++summary_.succeeded;
        if (policy_.time_limit.percent_of_median > 0) runtimes_.add(elapsed);
        return;
      case EndVerdict::stopped:
        ++summary_.stopped;
        return;
      case EndVerdict::retry:
        waiting_.add({now + backoff_after(attempt, policy_.backoff), position, attempt + 1});
        return;
      case EndVerdict::failed:
        ++summary_.failed;
        if (verdict.timed_out) ++summary_.timed_out;
        halt_if_due();
        return;
    }
  }

  void halt_if_due() {
    const HaltPolicy& halt = policy_.halt;
    if (halt.when == HaltPolicy::When::never || is_stopping_) return;
    std::uint64_t most = halt.failures;
    if (halt.percent > 0) most = static_cast<std::uint64_t>(std::ceil(static_cast<double>(size_) * halt.percent / 100));
    if (summary_.failed < most) return;
    summary_.halted = true;
    if (halt.when == HaltPolicy::When::soon) return finish();
    halts_now_ = true;
    stop();
  }

  const std::uint64_t size_;
  const SchedulePolicy policy_;
  std::uint64_t next_fresh_ = 0;
  std::uint64_t withdrawn_ = 0;  // of the first try
  RunningRanges running_;
  WaitingRetries waiting_;
  MonotonicTime next_start_;
  RuntimeMedian runtimes_;
  RunSummary summary_;
  std::optional<MonotonicTime> kill_all_at_;
  bool is_stopping_ = false;
  bool is_ending_all_ = false;
  bool is_held_ = false;
  bool halts_now_ = false;
};

}  // namespace v1
}  // namespace hakuriver
