#include "systemd/options.hpp"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

using namespace hakuriver;
using namespace hakuriver::systemd;

namespace {

Options all_options() {
  Options options;
  options.unit = "hakuriver-task-7.service";
  options.directory = "/var/lib/hakuriver/launch";
  options.exec = "/usr/libexec/hakuriver/hakuriver-exec";
  options.description = "task 7: a --b";
  options.working_directory = "/shared/a b";
  options.millicores = 1500;
  options.memory_bytes = 1 << 30;
  options.version = 252;
  options.user_manager = true;
  options.sudo = "/usr/bin/sudo";
  options.systemd_run = "/opt/systemd-run";
  options.systemctl = "/opt/systemctl";
  options.no_bus = true;
  options.verb = "run";
  options.task.private_network = true;
  options.task.private_pid = true;
  options.task.no_new_privileges = true;
  options.task.user = TaskUser{1000, 100, {4}};
  options.task.niceness = 5;
  options.task.cpus = {1, 2};
  options.task.numa_node = 0;
  options.task.command = {"run", "--", "finish", ""};
  return options;
}

}  // namespace

TEST_CASE("what is built to run is read back") {
  Options few;
  few.unit = "u.scope";
  few.directory = "/d";
  few.exec = "/e";
  few.verb = "run";
  few.task.command = {"x"};
  for (const auto& options : {all_options(), few}) {
    const auto read = parse_options(build_run_words(options));
    REQUIRE(read);
    CHECK(*read == options);
  }
}

TEST_CASE("a control verb needs less, and has what it needs") {
  for (const std::string verb : {"pause", "resume", "terminate", "kill", "finish"}) {
    CAPTURE(verb);
    Argv words = build_control_words(all_options());
    words.push_back(verb);
    const auto read = parse_options(words);
    REQUIRE(read);
    CHECK(read->verb == verb);
    CHECK(read->unit == "hakuriver-task-7.service");
    CHECK(read->sudo == "/usr/bin/sudo");
    CHECK(read->systemctl == "/opt/systemctl");
    CHECK(read->user_manager);
    CHECK(read->file(".spec") == "/var/lib/hakuriver/launch/hakuriver-task-7.service.spec");
  }
}

TEST_CASE("words that mean nothing are named") {
  const std::vector<std::pair<Argv, std::string>> table{
      {{}, "expected one of run, pause, resume, terminate, kill and finish"},
      {{"--unit", "u.scope", "--directory", "/d", "stop"},
       "'stop': expected one of run, pause, resume, terminate, kill and finish"},
      {{"--unit"}, "'--unit' is no option, or lacks its value"},
      {{"--unit", "u.slice", "--directory", "/d", "kill"},
       "--unit 'u.slice': expected the name of a scope or a service"},
      {{"--unit", "a/u.scope", "--directory", "/d", "kill"}, "--unit 'a/u.scope': a name has no '/'"},
      {{"--unit", "u.scope", "kill"}, "--directory is missing"},
      {{"--unit", "u.scope", "--directory", "d", "kill"}, "--directory 'd': expected an absolute path"},
      {{"--unit", "u.scope", "--directory", "/d", "kill", "x"}, "'x': nothing is expected behind 'kill'"},
      {{"--unit", "u.scope", "--directory", "/d", "run", "--", "x"}, "--exec is missing"},
      {{"--unit", "u.scope", "--directory", "/d", "--exec", "/e", "run"}, "no command: expected it after '--'"},
      {{"--millicores", "one", "kill"}, "--millicores 'one': expected a number"},
      {{"--what", "x", "--unit", "u.scope", "--directory", "/d", "--exec", "/e", "run", "--", "x"},
       "'--what' is no option"}};
  for (const auto& row : table) {
    const auto& words = row.first;
    const auto& message = row.second;
    CAPTURE(message);
    const auto read = parse_options(words);
    REQUIRE_FALSE(read);
    CHECK(read.error().message == message);
  }
}
