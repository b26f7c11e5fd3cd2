// What each key takes and refuses, by file, environment and flag.
#include <doctest/doctest.h>

#include <variant>
#include <vector>

#include "config/schema.hpp"
#include "hakuriver/config.hpp"
#include "support/scratch_directory.hpp"

using namespace hakuriver;
using hakuriver::test::ScratchDirectory;

namespace {

Result<LoadedConfig> load_text(const ScratchDirectory& scratch, const std::string& text) {
  return load_config({.config_file = scratch.write("c.toml", text), .environment = {"HOME=/home/me"}});
}

struct Row {
  std::string section;
  std::string line;
};

}  // namespace

TEST_CASE("good values are taken") {
  const ScratchDirectory scratch;
  for (const auto& row : std::vector<Row>{{"network", "host_bind_ip = '0.0.0.0'"},
                                          {"network", "host_bind_ip = '::'"},
                                          {"network", "host_port = 0"},
                                          {"network", "host_port = 65535"},
                                          {"network", "host_port = 8000.0"},
                                          {"network", "host_reachable_address = 'node_1.example.org'"},
                                          {"network", "host_reachable_address = 'fe80::1'"},
                                          {"network", "host_url = 'https://head:443/'"},
                                          {"network", "host_url = 'http://[::1]:8000'"},
                                          {"network", "host_url = ''"},
                                          {"network", "runner_address = ''"},
                                          {"network", "runner_port = 8001"},
                                          {"paths", "numactl_path = 'numactl'"},
                                          {"database", "keep_finished = 'off'"},
                                          {"database", "keep_finished = 0"},
                                          {"timing", "heartbeat_interval = 5"},
                                          {"timing", "heartbeat_interval = 0.5"},
                                          {"timing", "heartbeat_interval = '5s'"},
                                          {"timing", "heartbeat_interval = '100ms'"},
                                          {"timing", "heartbeat_interval = '1h'"},
                                          {"timing", "heartbeat_timeout_factor = 1"},
                                          {"timing", "forget_after = '7d'"},
                                          {"timing", "kill_grace = 0"},
                                          {"environment", "runner_user = 'root'\nallowed_users = ['alice', '*']"},
                                          {"docker", "additional_mounts = ['/a:/b:ro,z', '/c:/d']"},
                                          {"docker", "additional_mounts = []"},
                                          {"runner", "name = 'node-1.x_y'"},
                                          {"runner", "cores = 4"},
                                          {"runner", "cores = 0.5"},
                                          {"runner", "cores = '1.25'"},
                                          {"runner", "memory = '1.5G'"},
                                          {"runner", "memory = 1073741824"},
                                          {"runner", "max_tasks = 1"},
                                          {"runner", "launcher = 'systemd'"},
                                          {"security", "auth = 'none'"},
                                          {"security", "allowed_hosts = ['a', 'b']"}}) {
    CAPTURE(row.line);
    const auto loaded = load_text(scratch, "[" + row.section + "]\n" + row.line + "\n");
    CHECK_MESSAGE(loaded, loaded.error().message);
  }
}

TEST_CASE("bad values are one line with the place, the key, what was given and what is expected") {
  struct Bad {
    std::string section;
    std::string line;
    std::string message;
  };
  const ScratchDirectory scratch;
  for (
      const auto& row : std::vector<Bad>{
          {"network", "host_bind_ip = 'localhost'",
           "network.host_bind_ip: 'localhost' is not right: expected an IP address such as 127.0.0.1, 0.0.0.0 or ::"},
          {"network", "host_bind_ip = ''",
           "network.host_bind_ip: '' is not right: expected an IP address such as 127.0.0.1, 0.0.0.0 or ::"},
          {"network", "host_bind_ip = 127",
           "network.host_bind_ip: 127 is not right: expected an IP address such as 127.0.0.1, 0.0.0.0 or ::"},
          {"network", "host_port = 65536",
           "network.host_port: 65536 is not right: expected a whole number from 0 to 65535"},
          {"network", "host_port = -1", "network.host_port: -1 is not right: expected a whole number from 0 to 65535"},
          {"network", "host_port = '8000'",
           "network.host_port: '8000' is not right: expected a whole number from 0 to 65535"},
          {"network", "host_port = 80.5",
           "network.host_port: 80.5 is not right: expected a whole number from 0 to 65535"},
          {"network", "host_port = true",
           "network.host_port: true is not right: expected a whole number from 0 to 65535"},
          {"network", "host_port = nan",
           "network.host_port: nan is not right: expected a whole number from 0 to 65535"},
          {"network", "host_port = [1]",
           "network.host_port: a list that holds something else is not right: expected a whole number from 0 to 65535"},
          {"network", "host_port = {a = 1}",
           "network.host_port: a table is not right: expected a whole number from 0 to 65535"},
          {"network", "host_port = 99999999999999999999",
           "network.host_port: 9223372036854775807 is not right: expected a whole number from 0 to 65535"},
          {"network", "host_reachable_address = ''",
           "network.host_reachable_address: '' is not right: expected a host name or an IP address, without scheme and "
           "port"},
          {"network", "host_reachable_address = 'http://head'",
           "network.host_reachable_address: 'http://head' is not right: expected a host name or an IP address, without "
           "scheme and port"},
          {"network", "host_reachable_address = 'head:8000'",
           "network.host_reachable_address: 'head:8000' is not right: expected a host name or an IP address, without "
           "scheme and port"},
          {"network", "host_url = 'head:8000'",
           "network.host_url: 'head:8000' is not right: expected a URL such as http://node1:8000"},
          {"network", "host_url = 'ftp://head'",
           "network.host_url: 'ftp://head' is not right: expected a URL such as http://node1:8000"},
          {"network", "host_url = 'http://head/path'",
           "network.host_url: 'http://head/path' is not right: expected a URL such as http://node1:8000"},
          {"network", "host_url = 'http://me@head'",
           "network.host_url: 'http://me@head' is not right: expected a URL such as http://node1:8000"},
          {"network", "host_url = 'http://head:99999'",
           "network.host_url: 'http://head:99999' is not right: expected a URL such as http://node1:8000"},
          {"network", "host_url = 'http://'",
           "network.host_url: 'http://' is not right: expected a URL such as http://node1:8000"},
          {"paths", "shared_dir = 1979-05-27", "paths.shared_dir: a date or time is not right: expected a path"},
          {"paths", "shared_dir = '~me/x'",
           "paths.shared_dir: '~me/x' is not right: expected a path, where only ~/ stands for a home directory"},
          {"paths", "shared_dir = \"a\\u0000b\"", "paths.shared_dir: 'a?b' is not right: expected a path"},
          {"database", "keep_finished = 'never'",
           "database.keep_finished: 'never' is not right: expected a time from 0s to 36500d, or off"},
          {"timing", "heartbeat_interval = 0",
           "timing.heartbeat_interval: 0 is not right: expected a time from 100ms to 1h"},
          {"timing", "heartbeat_interval = 'off'",
           "timing.heartbeat_interval: 'off' is not right: expected a time from 100ms to 1h"},
          {"timing", "heartbeat_interval = -5",
           "timing.heartbeat_interval: -5 is not right: expected a time from 100ms to 1h"},
          {"timing", "heartbeat_interval = inf",
           "timing.heartbeat_interval: inf is not right: expected a time from 100ms to 1h"},
          {"timing", "heartbeat_timeout_factor = 0",
           "timing.heartbeat_timeout_factor: 0 is not right: expected a whole number from 1 to 1000"},
          {"environment", "runner_user = \"a\\nb\"", "environment.runner_user: 'a?b' is not right: expected a text"},
          {"docker", "keep_versions = -1",
           "docker.keep_versions: -1 is not right: expected a whole number from 0 to 1000000"},
          {"docker", "keep_versions = 'two'",
           "docker.keep_versions: 'two' is not right: expected a whole number from 0 to 1000000"},
          {"docker", "tasks_privileged = 'yes'", "docker.tasks_privileged: 'yes' is not right: expected true or false"},
          {"docker", "tasks_privileged = 1", "docker.tasks_privileged: 1 is not right: expected true or false"},
          {"docker", "additional_mounts = '/a:/b'",
           "docker.additional_mounts: '/a:/b' is not right: expected a list of texts"},
          {"docker", "additional_mounts = ['']",
           "docker.additional_mounts: a list is not right: expected a list of texts"},
          {"runner", "name = 'a b'",
           "runner.name: 'a b' is not right: expected a node name, 1 to 63 of letters, digits, '.', '_' and '-'"},
          {"runner", "cores = 0", "runner.cores: 0 is not right: expected a number of cores such as 4 or 0.5, above 0"},
          {"runner", "cores = -1",
           "runner.cores: -1 is not right: expected a number of cores such as 4 or 0.5, above 0"},
          {"runner", "cores = 'all'",
           "runner.cores: 'all' is not right: expected a number of cores such as 4 or 0.5, above 0"},
          {"runner", "memory = '8 gigs'",
           "runner.memory: '8 gigs' is not right: expected a size such as 8G or 8GB, above 0"},
          {"runner", "max_tasks = 0", "runner.max_tasks: 0 is not right: expected a whole number from 1 to 1000000"},
          {"security", "auth = 'token none'",
           "security.auth: 'token none' is not right: expected one of token, none"}}) {
    CAPTURE(row.line);
    const auto loaded = load_text(scratch, "[" + row.section + "]\n\n" + row.line + "\n");
    REQUIRE(!loaded);
    CHECK(loaded.error().code == Errc::parse);
    CHECK(loaded.error().message == (scratch / "c.toml") + ":3: " + row.message);
  }
}

TEST_CASE("a launcher is one of those listed") {
  const ScratchDirectory scratch;
  for (const std::string text : {"slurm", "", "auto plain", " plain", "PLAIN"}) {
    CAPTURE(text);
    const auto loaded = load_text(scratch, "[runner]\nlauncher = '" + text + "'\n");
    REQUIRE(!loaded);
    CHECK(loaded.error().message.find(":2: runner.launcher: '" + text +
                                      "' is not right: expected one of auto, systemd,") != std::string::npos);
  }
}

TEST_CASE("a value that is very long is shown cut") {
  const ScratchDirectory scratch;
  const auto loaded = load_text(scratch, "[runner]\nname = '" + std::string(10'000, 'x') + "'\n");
  REQUIRE(!loaded);
  CHECK(loaded.error().message.size() < 300);
  CHECK(loaded.error().message.find("xxx...'") != std::string::npos);
}

TEST_CASE("every key can be set in the file, by a variable and by a flag, all meaning the same") {
  const ScratchDirectory scratch;
  const auto default_config = load_config({.environment = {"HOME=/home/me"}});
  REQUIRE(default_config);
  for (const auto& key : config::keys()) {
    CAPTURE(config::full_name(key));
    std::string text;
    switch (key.kind) {
      case config::Kind::ip_address:
        text = "10.1.2.3";
        break;
      case config::Kind::url:
        text = "http://other:1";
        break;
      case config::Kind::yes_no:
        text = "true";
        break;
      case config::Kind::whole:
        text = std::to_string(key.least + 7);
        break;
      case config::Kind::duration:
        text = "77s";
        break;
      case config::Kind::cores:
        text = "3.5";
        break;
      case config::Kind::memory:
        text = "3G";
        break;
      case config::Kind::choice:
        text = key.choices.substr(key.choices.rfind(' ') + 1);
        break;
      case config::Kind::path:
        text = "/some/where";
        break;
      default:
        text = "other";
        break;
    }
    const bool bare = key.kind == config::Kind::yes_no || key.kind == config::Kind::whole;
    const std::string quoted = bare ? text : "'" + text + "'";
    const std::string in_file = key.kind == config::Kind::list ? "[" + quoted + "]" : quoted;
    // Of the two TLS keys neither goes without the other.
    const std::string other = key.name == "tls_key"           ? "tls_certificate"
                              : key.name == "tls_certificate" ? "tls_key"
                                                              : "";
    const std::string also = other.empty() ? "" : other + " = '/pair'\n";
    std::vector<std::string> environment = {"HOME=/home/me"};
    if (!other.empty())
      environment.emplace_back(other == "tls_key" ? "HAKURIVER_SECURITY_TLS_KEY=/pair"
                                                  : "HAKURIVER_SECURITY_TLS_CERTIFICATE=/pair");

    const auto by_file = load_text(
        scratch, "[" + std::string(key.section) + "]\n" + std::string(key.name) + " = " + in_file + "\n" + also);
    auto with_variable = environment;
    with_variable.push_back(config::variable_name(key) + "=" + text);
    const auto by_variable = load_config({.environment = with_variable});
    const auto by_flag = load_config({.flags = {{config::full_name(key), text, "--flag"}}, .environment = environment});
    REQUIRE_MESSAGE(by_file, by_file.error().message);
    REQUIRE_MESSAGE(by_variable, by_variable.error().message);
    REQUIRE_MESSAGE(by_flag, by_flag.error().message);
    CHECK(!(by_file->config == default_config->config));
    CHECK(by_file->config == by_variable->config);
    CHECK(by_file->config == by_flag->config);
    if (key.variable.empty()) continue;
    const auto by_short = load_config({.environment = {"HOME=/home/me", std::string(key.variable) + "=" + text}});
    REQUIRE(by_short);
    CHECK(by_short->config == by_file->config);
  }
}
