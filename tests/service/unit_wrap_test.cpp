#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "doors/systemd_launcher.hpp"
#include "systemd/options.hpp"

using namespace hakuriver;
using namespace hakuriver::doors;

namespace {

SystemdLauncher some_launcher() {
  SystemdLauncher launcher;
  launcher.program = "/x/hakuriver-systemd";
  launcher.exec = "/x/hakuriver-exec";
  launcher.systemd_run = "/usr/bin/systemd-run";
  launcher.systemctl = "/usr/bin/systemctl";
  launcher.directory = "/state/units";
  launcher.version = 252;
  return launcher;
}

StartRequest some_request() {
  StartRequest request;
  request.key = {TaskId{7}, Attempt{2}};
  request.argv = {"./a", "b c"};
  request.environment = {"HAKURIVER_TASK_ID=7", "LD_PRELOAD=/evil.so"};
  request.millicores = 1500;
  request.niceness = 3;
  request.cpus = {0, 1};
  request.numa_node = 1;
  return request;
}

// What hakuriver-systemd reads.
systemd::Options read(const StartRequest& request) {
  const auto options = systemd::parse_options(Argv(request.argv.begin() + 1, request.argv.end()));
  REQUIRE(options);
  return *options;
}

}  // namespace

TEST_CASE("a task is a scope that the keeper itself drives") {
  const auto request = wrap_in_unit(some_launcher(), some_request(), {});
  const auto options = read(request);
  CHECK(request.argv.front() == "/x/hakuriver-systemd");
  CHECK(options.verb == "run");
  CHECK(options.unit == "hakuriver-task-7.scope");
  CHECK(options.description == "task 7: ./a 'b c'");
  CHECK(options.millicores == 1500);
  CHECK(options.task.command == Argv{"./a", "b c"});
  CHECK(options.task.niceness == 3);
  CHECK(request.niceness == 0);
  CHECK(request.cpus.size() == 2);  // inherited
  CHECK(options.task.cpus.empty());
  CHECK(request.reports_start);
  CHECK(request.unit == options.unit);
  CHECK(request.control.empty());
}

TEST_CASE("nothing in the environment means anything to a launching program") {
  const auto request = wrap_in_unit(some_launcher(), some_request(), {});
  CHECK(std::all_of(request.environment.begin(), request.environment.end(),
                    [](const auto& entry) { return entry.front() == '@'; }));
}

TEST_CASE("who has limited memory has a process that reads whether it ran out") {
  auto given = some_request();
  given.memory_bytes = 4096;
  const auto request = wrap_in_unit(some_launcher(), given, {});
  const auto options = read(request);
  CHECK(options.is_scope());
  CHECK(options.memory_bytes == 4096);
  CHECK(options.task.account_file == "/state/units/hakuriver-task-7.scope.account");
  CHECK(request.unit.empty());
  Argv control(request.control.begin() + 1, request.control.end());
  control.emplace_back("finish");
  CHECK(systemd::parse_options(control)->unit == options.unit);
}

TEST_CASE("settings of the execution make it a service") {
  TaskSpec network;
  network.private_network = true;
  TaskSpec table;
  table.private_pid = true;
  TaskSpec user;
  user.user = "nobody";
  for (const auto& spec : {network, table, user}) {
    auto given = some_request();
    if (!spec.user.empty()) given.user = TaskUser{65534, 65534, {}};
    const auto request = wrap_in_unit(some_launcher(), given, spec);
    const auto options = read(request);
    CHECK(options.unit == "hakuriver-task-7.service");
    CHECK(options.task.private_network == spec.private_network);
    CHECK(options.task.private_pid == spec.private_pid);
    CHECK(options.task.user == given.user);
    CHECK_FALSE(request.user);
    CHECK(options.task.cpus == given.cpus);  // a client's would be of no use
    CHECK(options.task.numa_node == 1);
    CHECK_FALSE(request.control.empty());
  }
}

TEST_CASE("through sudo the task is still the runner's own user") {
  auto launcher = some_launcher();
  launcher.sudo = "/usr/bin/sudo";
  const auto request = wrap_in_unit(launcher, some_request(), {});
  const auto options = read(request);
  CHECK(options.is_scope());
  CHECK(options.sudo == "/usr/bin/sudo");
  CHECK(options.task.user);
  CHECK_FALSE(request.control.empty());
}

TEST_CASE("a refusal stays one, and a description is one line of ASCII") {
  auto given = some_request();
  given.refusal = "no";
  CHECK(wrap_in_unit(some_launcher(), given, {}).argv == given.argv);
  given.refusal.clear();
  given.argv = {"\xff\xfe", "a\nb", std::string(1000, 'x')};
  const auto description = read(wrap_in_unit(some_launcher(), given, {})).description;
  CHECK(description.size() == 200);
  CHECK(std::all_of(description.begin(), description.end(), [](char c) { return c >= ' ' && c <= '~'; }));
}
