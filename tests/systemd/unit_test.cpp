#include "systemd/unit.hpp"

#include <doctest/doctest.h>
#include <signal.h>

#include <string>

using namespace hakuriver;
using namespace hakuriver::systemd;

// As systemd 252 and 255 print them.
TEST_CASE("the record of a service that has ended") {
  const auto state = parse_unit_state(
      "Result=exit-code\nExecMainCode=1\nExecMainStatus=3\nMainPID=0\nMemoryPeak=1048576\nCPUUsageNSec=12345678\n"
      "LoadState=loaded\nActiveState=failed\nFreezerState=running\n");
  CHECK(state.is_known);
  CHECK(state.is_loaded);
  CHECK(state.active == "failed");
  const auto account = account_of(state);
  CHECK(account.outcome == Outcome{OutcomeKind::exited, 3});
  CHECK(account.cpu_microseconds == 12345);
  CHECK(account.peak_bytes == 1048576);
}

TEST_CASE("signals, and memory that ran out") {
  auto state = parse_unit_state("LoadState=loaded\nResult=signal\nExecMainCode=2\nExecMainStatus=15\n");
  CHECK(account_of(state).outcome == Outcome{OutcomeKind::signaled, SIGTERM});
  state = parse_unit_state("LoadState=loaded\nResult=core-dump\nExecMainCode=3\nExecMainStatus=11\n");
  CHECK(account_of(state).outcome == Outcome{OutcomeKind::signaled, SIGSEGV});
  state = parse_unit_state("LoadState=loaded\nResult=oom-kill\nExecMainCode=2\nExecMainStatus=9\n");
  CHECK(account_of(state).outcome == Outcome{OutcomeKind::oom_killed, SIGKILL});
}

TEST_CASE("what is not set is nothing, and a unit that is not there is not loaded") {
  const auto state = parse_unit_state(
      "LoadState=not-found\nActiveState=inactive\nMainPID=0\nCPUUsageNSec=[not "
      "set]\nMemoryPeak=18446744073709551615\n");
  CHECK(state.is_known);
  CHECK_FALSE(state.is_loaded);
  CHECK(state.cpu_microseconds == 0);
  CHECK(state.peak_bytes == 0);
  for (const std::string text : {"", "\n\n", "Failed to connect"}) CHECK_FALSE(parse_unit_state(text).is_known);
}
