#include "cli/client_options.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "cli/client_table.hpp"

namespace hakuriver::cli {
namespace {

using Words = std::vector<std::string>;

ClientOptions good(const Words& words) {
  auto options = parse_client_options(words);
  if (!options) FAIL(options.error().message);
  return std::move(*options);
}

TEST_CASE("no words at all ask for help") { CHECK(good({}).action == ClientAction::show_help); }

TEST_CASE("every option of a submission arrives") {
  const auto options = good({"--target",      "node1",    "--target=node2:0",
                             "--container",   "NULL",     "--cores",
                             "0.5",           "--memory", "100M",
                             "--env",         "A=1",      "--env",
                             "B=x=y",         "--name",   "x",
                             "--cwd",         "/data",    "--private-network",
                             "--private-pid", "--wait",   "--poll-interval",
                             "0.5",           "--",       "env"});
  const TaskSpec& spec = options.request.spec;
  CHECK(options.action == ClientAction::submit);
  CHECK(options.request.targets == std::vector<Target>{{"node1", std::nullopt}, {"node2", 0}});
  CHECK(options.request.count == 2);
  CHECK(spec.container.empty());
  CHECK_FALSE(options.request.default_container);
  CHECK(options.request.default_mounts);
  CHECK(options.request.default_privileged);
  CHECK(spec.resources == Resources{500, 104857600});
  CHECK(spec.environment == std::vector<std::pair<std::string, std::string>>{{"A", "1"}, {"B", "x=y"}});
  CHECK(spec.name == "x");
  CHECK(spec.working_directory == "/data");
  CHECK(spec.private_network);
  CHECK(spec.private_pid);
  CHECK(options.waits);
  CHECK(spec.argv == Argv{"env"});
}

TEST_CASE("the command is left untouched from its first word on") {
  struct Row {
    Words words;
    Argv argv;
  };
  for (const auto& row : std::vector<Row>{
           {{"--target", "node1", "--", "echo", "--target", "x"}, {"echo", "--target", "x"}},
           {{"--target", "node1", "echo", "--target", "x"}, {"echo", "--target", "x"}},
           {{"echo", "--", "--status", "1"}, {"echo", "--", "--status", "1"}},
           {{"--", "--status"}, {"--status"}},
           {{"--", "--", "a"}, {"--", "a"}},
           {{"-"}, {"-"}},
           {{"--env", "A=", "printf", ""}, {"printf", ""}},
           {{"--env", "A=1", "--", "a b", "c'd", "*", "$HOME", "\xff"}, {"a b", "c'd", "*", "$HOME", "\xff"}}}) {
    CAPTURE(row.words);
    CHECK(good(row.words).request.spec.argv == row.argv);
  }
}

TEST_CASE("a variable given twice has its last value") {
  const auto options = good({"--env", "A=1", "--env", "B=2", "--env", "A=3", "true"});
  CHECK(options.request.spec.environment == std::vector<std::pair<std::string, std::string>>{{"B", "2"}, {"A", "3"}});
}

TEST_CASE("container options are sent as they are given") {
  const auto options = good({"--container", "my-env", "--privileged", "--mount", "/data:/mnt:ro", "ls"});
  CHECK(options.request.spec.container == "my-env");
  CHECK(options.request.spec.privileged);
  CHECK(options.request.spec.mounts == std::vector<std::string>{"/data:/mnt:ro"});
  CHECK_FALSE(options.request.default_privileged);
  CHECK_FALSE(options.request.default_mounts);
}

TEST_CASE("limits of a task are sent as they are given") {
  const auto spec = good({"--time", "1h30m", "--user", "alice", "--nice=10", "ls"}).request.spec;
  CHECK(spec.time_limit == std::chrono::minutes{90});
  CHECK(spec.user == "alice");
  CHECK(spec.niceness == 10);
  CHECK(good({"--time", "90", "ls"}).request.spec.time_limit == std::chrono::seconds{90});
}

TEST_CASE("what is asked of tasks and nodes") {
  CHECK(good({"--status", "7"}).ids == std::vector<std::uint64_t>{7});
  CHECK(good({"--kill", "7", "--kill", "8"}).ids == std::vector<std::uint64_t>{7, 8});
  CHECK(good({"--health"}).node.empty());
  CHECK(good({"--health", "node1"}).node == "node1");
  CHECK(good({"--health", "--output", "json"}).prints_json);
  CHECK(good({"--drain", "node.1"}).action == ClientAction::drain);
  const auto output = good({"--stdout", "7", "--follow", "--tail", "10"});
  CHECK(output.follows);
  CHECK(output.tail == 10);
  const auto list = good({"--list-tasks", "--state", "failed", "--name", "x", "--batch", "3", "--limit", "1000"});
  CHECK(list.filter.state == "failed");
  CHECK(list.filter.name == "x");
  CHECK(list.filter.batch == 3);
  CHECK(list.filter.limit == 1000);
}

TEST_CASE("help and version win over everything else that is spelt right") {
  CHECK(good({"--target", "node1", "--help"}).action == ClientAction::show_help);
  CHECK(good({"--status", "7", "--version"}).action == ClientAction::show_version);
}

TEST_CASE("what cannot be right is refused in one line that names it") {
  struct Bad {
    Words words;
    std::string_view named;
  };
  const std::string huge(200'000, 'x');
  for (const auto& bad : std::vector<Bad>{
           {{"--time", "soon", "x"}, "--time: 'soon' is not a duration"},
           {{"--time", "0", "x"}, "--time: '0': expected such as 90s, 30m or 2h, above 0 and at most 3650d"},
           {{"--time", "3651d", "x"}, "--time: '3651d': expected such as"},
           {{"--time=", "x"}, "--time: '' is not a duration"},
           {{"--user", "a b", "x"}, "--user: 'a b' is not a user's name"},
           {{"--user=", "x"}, "--user: '' is not a user's name"},
           {{"--nice", "20", "x"}, "--nice: '20': expected a number from 0 to 19"},
           {{"--nice", "-1", "x"}, "--nice: '-1': expected a number from 0 to 19"},
           {{"--status", "1", "--time", "1h"}, "--time does not go with --status"},
           {{"--targe", "node1", "true"}, "did you mean '--target'"},
           {{"--stauts", "7"}, "did you mean '--status'"},
           {{"--frobnicate"}, "--help"},
           {{"-z", "true"}, "'-z'"},
           {{"--wait=yes", "true"}, "takes no value"},
           {{"--target"}, "--target needs a value"},
           {{"--target", "--", "true"}, "--target needs a value"},
           {{"--target", "node1"}, "a command is missing"},
           {{"--target", "node1", "--"}, "after '--'"},
           {{"--target", "my-node:", "true"}, "'my-node:'"},
           {{"--target", "my-node:x", "true"}, "'my-node:x'"},
           {{"--target", "", "true"}, "--target"},
           {{"--cores", "-1", "true"}, "--cores: '-1'"},
           {{"--cores", "many", "true"}, "--cores: 'many'"},
           {{"--memory", "8X", "true"}, "--memory: '8X'"},
           {{"--env", "A", "true"}, "--env: 'A'"},
           {{"--env", "=1", "true"}, "--env: '=1'"},
           {{"--poll-interval", "0", "true"}, "--poll-interval"},
           {{"--poll-interval", "nan", "true"}, "--poll-interval"},
           {{"--cwd", "here", "true"}, "--cwd: 'here'"},
           {{"--mount", "data:/x", "true"}, "--mount: 'data:/x'"},
           {{"--mount", "/data", "true"}, "--mount: '/data'"},
           {{"--mount", "/a:/b:zz", "true"}, "--mount"},
           {{"--container", "", "true"}, "--container is empty"},
           {{"--container", "NULL", "--privileged", "true"}, "--privileged does not go with --container NULL"},
           {{"--container", "NULL", "--mount", "/a:/b", "true"}, "--mount does not go with"},
           {{"--name", std::string(256, 'n'), "true"}, "'name'"},
           {{"--", ""}, "'command'"},
           {{"true", huge}, "arguments"},
           {{"--env", "A=" + huge, "true"}, "--env"},
           {{"--status", "7", "--kill", "7"}, "do not go together"},
           {{"--status", "7", "true"}, "does not go with a command"},
           {{"--status", "7", "--wait"}, "--wait-for"},
           {{"--status", "7", "--status", "8"}, "takes one id"},
           {{"--status", "seven"}, "'seven' is not an id"},
           {{"--status", "-7"}, "'-7' is not an id"},
           {{"--status", "0"}, "'0' is not an id"},
           {{"--status", "99999999999999999999"}, "is not an id"},
           {{"--list-tasks", "--cores", "1"}, "--cores does not go with --list-tasks"},
           {{"--follow", "true"}, "--follow does not go with a command"},
           {{"--list-tasks", "--state", "dead"}, "--state: 'dead'"},
           {{"--list-tasks", "--limit", "0"}, "--limit"},
           {{"--list-tasks", "--limit", "1001"}, "--limit"},
           {{"--list-nodes", "node1"}, "'node1'"},
           {{"--drain", "a/b"}, "'a/b'"},
           {{"--output", "xml", "--list-nodes"}, "'xml'"},
           {{"--host", "", "--list-nodes"}, "--host is empty"},
           {{"--config", "", "--list-nodes"}, "--config is empty"}}) {
    const auto options = parse_client_options(bad.words);
    CAPTURE(bad.named);
    REQUIRE_FALSE(options);
    CHECK(options.error().message.find(bad.named) != std::string::npos);
    CHECK(options.error().message.find('\n') == std::string::npos);
    CHECK(options.error().message.size() < 400);
  }
}

TEST_CASE("the help begins with examples, names every option and fits 80 columns") {
  const std::string help = client_help();
  CHECK(help.starts_with("Examples:"));
  for (const auto& option : client_options()) {
    CAPTURE(option.option.name);
    CHECK(help.find("--" + std::string(option.option.name)) != std::string::npos);
  }
  std::size_t longest = 0;
  for (std::size_t at = 0; at < help.size();) {
    const auto end = help.find('\n', at);
    longest = std::max(longest, end - at);
    at = end + 1;
  }
  CHECK(longest <= 80);
}

}  // namespace
}  // namespace hakuriver::cli
