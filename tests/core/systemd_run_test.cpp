#include "hakuriver/systemd_run.hpp"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

using namespace hakuriver;

namespace {

bool holds(const Argv& argv, const std::string& word) {
  for (const auto& each : argv) {
    if (each == word) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("a quota counts hundredths of one CPU") {
  const std::vector<std::pair<std::uint64_t, std::string>> table{
      {1, "0.1%"}, {10, "1%"}, {125, "12.5%"}, {1000, "100%"}, {1500, "150%"}, {4000, "400%"}, {128'000, "12800%"}};
  for (const auto& row : table) {
    CAPTURE(row.first);
    CHECK(cpu_quota(row.first) == row.second);
  }
}

TEST_CASE("a scope with limits, in the documented order") {
  const SystemdUnit unit{"hakuriver-task-17", "task 17: ./train", 4000, 2147483648};
  CHECK(build_systemd_scope({}, unit, {"./train", "--rate=0.1"}) ==
        Argv{"systemd-run", "--scope", "--collect", "--unit=hakuriver-task-17", "--description=task 17: ./train",
             "--property=CPUQuota=400%", "--property=MemoryMax=2147483648", "--property=MemorySwapMax=0", "--quiet",
             "--", "./train", "--rate=0.1"});
}

TEST_CASE("what is not limited is not said, and swap never grows") {
  CHECK(build_systemd_scope({}, SystemdUnit{"u"}, {"true"}) ==
        Argv{"systemd-run", "--scope", "--collect", "--unit=u", "--property=MemorySwapMax=0", "--quiet", "--", "true"});
}

TEST_CASE("through sudo, by the manager of a user, and both words where they belong") {
  SystemdRun run;
  run.program = "/usr/bin/systemd-run";
  run.in_front = {"sudo", "-n"};
  Argv argv = build_systemd_scope(run, SystemdUnit{"u"}, {"true"});
  CHECK(Argv(argv.begin(), argv.begin() + 5) == Argv{"sudo", "-n", "/usr/bin/systemd-run", "--scope", "--collect"});
  run.in_front.clear();
  run.user_manager = true;
  argv = build_systemd_scope(run, SystemdUnit{"u"}, {"true"});
  CHECK(Argv(argv.begin(), argv.begin() + 3) == Argv{"/usr/bin/systemd-run", "--user", "--scope"});
}

TEST_CASE("what only some versions of systemd know is given to those") {
  const SystemdUnit unit{"u"};
  const auto scope = [&unit](std::uint32_t version) {
    return build_systemd_scope({.version = version}, unit, {"echo", "$HOME"});
  };
  CHECK_FALSE(holds(scope(0), "--property=OOMPolicy=continue"));
  CHECK_FALSE(holds(scope(251), "--property=OOMPolicy=continue"));
  CHECK(holds(scope(252), "--property=OOMPolicy=continue"));
  CHECK_FALSE(holds(scope(253), "--expand-environment=no"));
  CHECK(holds(scope(254), "--expand-environment=no"));
  for (const std::uint32_t version : {0u, 252u, 257u}) CHECK(scope(version).back() == "$HOME");
}

TEST_CASE("a service says all that it has") {
  SystemdService service;
  service.user = "alice";
  service.group = "staff";
  service.working_directory = "/shared/a b";
  service.stdout_path = "/shared/task_outputs/7.out";
  service.stderr_path = "/shared/task_errors/7.err";
  service.private_network = true;
  const SystemdUnit unit{"hakuriver-task-7", {}, 500, 4096};
  CHECK(build_systemd_service({}, unit, service, {"./a", "b c"}) ==
        Argv{"systemd-run", "--unit=hakuriver-task-7", "--property=CPUQuota=50%", "--property=MemoryMax=4096",
             "--property=MemorySwapMax=0", "--property=Type=exec", "--property=RemainAfterExit=yes",
             "--property=TimeoutStopSec=2s", "--property=User=alice", "--property=Group=staff",
             "--property=WorkingDirectory=/shared/a b", "--property=StandardOutput=append:/shared/task_outputs/7.out",
             "--property=StandardError=append:/shared/task_errors/7.err", "--property=PrivateNetwork=yes", "--quiet",
             "--", "./a", "b c"});
}

TEST_CASE("a service's output may be nobody's") {
  SystemdService service;
  service.stdout_path = "/dev/null";
  service.stderr_path = "/dev/null";
  const Argv argv = build_systemd_service({}, SystemdUnit{"u"}, service, {"x"});
  CHECK(holds(argv, "--property=StandardOutput=null"));
  CHECK(holds(argv, "--property=StandardError=null"));
}

TEST_CASE("a service's command keeps its dollars, and its per cents") {
  const Argv command{"echo", "$HOME", "${HOME}", "$$", "100%", "a$b$"};
  const auto words = [&command](std::uint32_t version) {
    const Argv argv = build_systemd_service({.version = version}, SystemdUnit{"u"}, {}, command);
    return Argv(argv.end() - static_cast<std::ptrdiff_t>(command.size()), argv.end());
  };
  CHECK(words(252) == Argv{"echo", "$$HOME", "$${HOME}", "$$$$", "100%", "a$$b$$"});
  CHECK(words(254) == command);
}
