#include "systemd/command_line.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace hakuriver;
using namespace hakuriver::systemd;

namespace {

Options options_of(const char* unit) {
  Options options;
  options.unit = unit;
  options.directory = "/d";
  options.exec = "/e/hakuriver-exec";
  options.description = "task 7";
  options.task.command = {"./a", "$B"};
  return options;
}

}  // namespace

TEST_CASE("a scope around the program that executes the command") {
  Options options = options_of("hakuriver-task-7.scope");
  options.millicores = 2000;
  options.sudo = "/usr/bin/sudo";
  options.task.user = TaskUser{1000, 1000, {}};
  CHECK(build_command_line(options, options.task) ==
        Argv{"/usr/bin/sudo", "-n", "/usr/bin/systemd-run", "--scope", "--collect", "--unit=hakuriver-task-7",
             "--description=task 7", "--property=CPUQuota=200%", "--property=MemorySwapMax=0", "--quiet", "--",
             "/e/hakuriver-exec", "--user", "1000:1000", "--", "./a", "$B"});
}

TEST_CASE("a private network is the manager's where that has one, and ours wherever it goes on without") {
  for (const bool is_scope : {false, true}) {
    CAPTURE(is_scope);
    Options options = options_of(is_scope ? "u.scope" : "u.service");
    options.task.private_network = true;
    options.task.private_pid = true;
    const Argv line = build_command_line(options, options.task);
    const auto has = [&line](const char* word) { return std::find(line.begin(), line.end(), word) != line.end(); };
    CHECK(has("--property=PrivateNetwork=yes") == !is_scope);
    CHECK(has("--private-network"));
    CHECK(has("--private-pid"));
    CHECK(has("--property=StandardOutput=null") == !is_scope);
    CHECK(line.back() == (is_scope ? "$B" : "$$B"));
  }
}
