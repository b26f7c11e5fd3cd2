// The run with a backend that takes ranges: how a cluster will be one.
#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <string>
#include <vector>

#include "engine/child_process.hpp"
#include "engine/plans.hpp"
#include "hakuriver/run_sweep.hpp"
#include "support/scratch_directory.hpp"

using namespace hakuriver;
using hakuriver::test::NamedScript;
using hakuriver::test::ScratchDirectory;

namespace {

// Takes what it is given in one order and tells of ends some at a time, the last ones first. Every seventh fails the
// first time.
class RangeBackend : public Backend {
 public:
  BackendTraits traits() const override { return {~std::uint64_t{0}, true, ~std::uint64_t{0}}; }

  StartAnswer start(const StartOrder& order, BackendEvents&) override {
    orders.push_back(order);
    waiting_.push_back(order);
    return StartAnswer::accepted;
  }

  Status wait(std::optional<MonotonicTime>, BackendEvents& events) override {
    for (int i = 0; i < 1000 && !waiting_.empty(); ++i) {
      StartOrder& order = waiting_.front();
      const std::uint64_t index = order.first + --order.count;
      const std::uint32_t attempt = order.attempt;
      if (order.count == 0) waiting_.pop_front();
      AttemptEnd end;
      end.outcome = {OutcomeKind::exited, attempt == 1 && index % 7 == 0 ? 1 : 0};
      end.is_withdrawn = is_withdrawing && index % 2 == 0;
      end.ended_at = engine::monotonic_now();
      events.started(index, attempt, 0);
      events.ended(index, attempt, end);
    }
    return Unit{};
  }

  void withdraw() override { is_withdrawing = true; }
  void stop_all(StopHow how) override { stops.push_back(how); }
  void stop(std::uint64_t, StopHow) override {}
  Status watch(int) override { return Unit{}; }
  void unwatch(int) override {}
  bool settle() override { return true; }

  std::vector<StartOrder> orders;
  std::vector<StopHow> stops;
  bool is_withdrawing = false;

 private:
  std::deque<StartOrder> waiting_;
};

}  // namespace

TEST_CASE("a backend of ranges gets the whole plan in one order, and its ends count, are recorded and told") {
  const ScratchDirectory scratch;
  const NamedScript plan("true", 10'000);
  RunOptions options;
  options.retries = 1;
  std::uint64_t started = 0;
  RunEvents events;
  events.started = [&started](const RunStart& start) { started += start.command.name.empty() ? 0 : 1; };
  RangeBackend backend;
  options.joblog = scratch / "log";
  const auto summary = run_sweep(plan, options, events, backend);
  REQUIRE(summary);
  constexpr std::uint64_t kFailedOnce = 10'000 / 7 + 1;
  CHECK(summary->succeeded == 10'000);
  CHECK(summary->attempts == 10'000 + kFailedOnce);
  CHECK(started == 10'000 + kFailedOnce);
  REQUIRE(backend.orders.size() == 1 + kFailedOnce);
  CHECK(backend.orders.front().count == 10'000);
  const auto text = hakuriver::test::contents_of(scratch / "log");
  CHECK(std::count(text.begin(), text.end(), '\n') == 1 + 10'000 + static_cast<std::ptrdiff_t>(kFailedOnce));
  CHECK(text.find("\tn=9999\t1\t") != std::string::npos);
}

TEST_CASE("after a halt a backend gives back what it has not started, which then counts as not started") {
  const ScratchDirectory scratch;
  const NamedScript plan("true", 10'000);
  RunOptions options;
  options.halt = {HaltPolicy::When::soon, 1, 0};
  options.joblog = scratch / "log";
  std::uint64_t ended = 0;
  RunEvents events;
  events.ended = [&ended](const RunEnd&) { ++ended; };
  RangeBackend backend;
  const auto summary = run_sweep(plan, options, events, backend);
  REQUIRE(summary);
  CHECK(backend.is_withdrawing);
  CHECK(backend.stops.empty());
  CHECK(summary->halted);
  CHECK(summary->not_started == 4'500);  // of the first thousand all had ended
  CHECK(summary->succeeded + summary->failed == 5'500);
  CHECK(summary->attempts == 5'500);
  CHECK(summary->stopped == 0);
  CHECK(ended == 5'500);
  const auto text = hakuriver::test::contents_of(scratch / "log");
  CHECK(std::count(text.begin(), text.end(), '\n') == 1 + 5'500);
}
