#include "launch/exec_options.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace hakuriver;
using namespace hakuriver::launch;

TEST_CASE("what is built is read back") {
  ExecOptions all;
  all.report_fd = 3;
  all.report_file = "/run/report";
  all.spec_file = "/run/spec";
  all.stdout_file = "/a b/1.out";
  all.stderr_file = "/a b/1.err";
  all.outputs_of = 4194304;
  all.account_file = "/run/account";
  all.user = TaskUser{1000, 100, {4, 24}};
  all.no_new_privileges = true;
  all.niceness = 19;
  all.private_network = true;
  all.private_pid = true;
  all.cpus = {0, 3, 8191};
  all.numa_node = 1;
  all.command = {"--", "--spec", ""};
  ExecOptions few;
  few.user = TaskUser{0, 0, {}};
  few.command = {"x"};
  for (const auto& options : {all, few}) {
    const auto read = parse_exec_options(build_exec_words(options));
    REQUIRE(read);
    CHECK(*read == options);
  }
}

TEST_CASE("words that mean nothing are named") {
  const std::vector<std::pair<Argv, std::string>> table{
      {{}, "no command: expected it after '--'"},
      {{"--"}, "no command: expected it after '--'"},
      {{"--private-pid"}, "no command: expected it after '--'"},
      {{"true"}, "'true' is no option, or lacks its value"},
      {{"--what", "x", "--", "true"}, "'--what' is no option"},
      {{"--spec", "spec", "--", "true"}, "--spec 'spec': expected an absolute path"},
      {{"--spec", "", "--", "true"}, "--spec '': expected an absolute path"},
      {{"--nice", "20", "--", "true"}, "--nice '20': expected something else"},
      {{"--nice", "-1", "--", "true"}, "--nice '-1': expected something else"},
      {{"--user", "1000", "--", "true"}, "--user '1000': expected something else"},
      {{"--user", "root:0", "--", "true"}, "--user 'root:0': expected something else"},
      {{"--user", "0:0:1,", "--", "true"}, "--user '0:0:1,': expected something else"},
      {{"--user", "4294967295:0", "--", "true"}, "--user '4294967295:0': expected something else"},
      {{"--cpus", "1,,2", "--", "true"}, "--cpus '1,,2': expected something else"},
      {{"--cpus", "8192", "--", "true"}, "--cpus '8192': expected something else"},
      {{"--report-fd", "99999", "--", "true"}, "--report-fd '99999': expected something else"}};
  for (const auto& row : table) {
    const auto& words = row.first;
    const auto& message = row.second;
    CAPTURE(message);
    const auto read = parse_exec_options(words);
    REQUIRE_FALSE(read);
    CHECK(read.error().message == message);
  }
}
