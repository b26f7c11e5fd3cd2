// A parameter sweep inside of a program, two commands at a time.
#include "hakuriver/run_sweep.hpp"

#include <cstdio>

#include "hakuriver/sweep_words.hpp"

int main() {
  using namespace hakuriver;
  const auto words = parse_sweep({"sh", "-c", "test $2 != 3", "sh", "--lr=span:[0.1,0.01]", "span:{1..3}"});
  if (!words) return 2;
  RunOptions options;
  options.jobs = 2;
  RunEvents events;
  events.ended = [](const RunEnd& end) {
    std::printf("%s: %d\n", end.command.name.c_str(), shell_status(end.outcome));
  };
  const auto summary = run_sweep(SweepPlan(words->sweep), options, events);
  if (!summary) return std::puts(summary.error().message.c_str()), 1;
  std::printf("%d of %d succeeded\n", static_cast<int>(summary->succeeded), static_cast<int>(summary->total));
  return 0;
}
