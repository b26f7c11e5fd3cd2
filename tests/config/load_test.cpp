#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "config/schema.hpp"
#include "hakuriver/config.hpp"
#include "support/scratch_directory.hpp"

using namespace hakuriver;
using hakuriver::test::ScratchDirectory;

TEST_CASE("without a file everything is below the home directory, on loopback") {
  const auto loaded = load_config({.environment = {"HOME=/home/me"}});
  REQUIRE(loaded);
  CHECK(loaded->file.empty());
  CHECK(loaded->home == "/home/me/.hakuriver");
  CHECK(loaded->warnings.empty());
  const Config& config = loaded->config;
  CHECK(config.network.host_bind_ip == "127.0.0.1");
  CHECK(config.network.host_port == 8000);
  CHECK(config.network.host_url == "http://127.0.0.1:8000");
  CHECK(!config.network.runner_port);
  CHECK(config.paths.shared_dir == "/home/me/.hakuriver/shared");
  CHECK(config.paths.local_temp_dir == "/home/me/.hakuriver/tmp");
  CHECK(config.paths.state_dir == "/home/me/.hakuriver/state");
  CHECK(config.paths.host_log_file.empty());
  CHECK(config.database.db_file == "/home/me/.hakuriver/hakuriver.db");
  CHECK(config.database.keep_finished == std::chrono::hours{720});
  CHECK(config.security.token_file == "/home/me/.hakuriver/token");
  CHECK(config.timing.heartbeat_interval == std::chrono::seconds{5});
  CHECK(config.timing.heartbeat_timeout_factor == 6);
  CHECK(!config.timing.forget_after);
  CHECK(config.docker.default_container_name.empty());
}

TEST_CASE("HAKURIVER_HOME moves everything, and an unset HOME is asked of the system") {
  const auto moved = load_config({.environment = {"HOME=/home/me", "HAKURIVER_HOME=~/cluster/"}});
  REQUIRE(moved);
  CHECK(moved->home == "/home/me/cluster");
  CHECK(moved->config.security.token_file == "/home/me/cluster/token");
  const auto relative = load_config({.environment = {"HAKURIVER_HOME=here"}});
  REQUIRE(relative);
  CHECK(relative->home == std::filesystem::current_path().string() + "/here");
  const auto without = load_config({.environment = {"HAKURIVER_HOME=", "HOME="}});
  REQUIRE(without);
  CHECK(without->home.front() == '/');
  CHECK(std::filesystem::path(without->home).filename() == ".hakuriver");
}

TEST_CASE("the file is the one of the flag, else of the variable, else the one at home") {
  const ScratchDirectory scratch;
  const std::string home = "HOME=" + scratch.path();
  scratch.write(".hakuriver/config.toml", "[network]\nhost_port = 1\n");
  const std::string two = scratch.write("two.toml", "[network]\nhost_port = 2\n");
  const std::string three = scratch.write("three.toml", "[network]\nhost_port = 3\n");
  const auto at_home = load_config({.environment = {home}});
  REQUIRE(at_home);
  CHECK(at_home->config.network.host_port == 1);
  CHECK(at_home->file == scratch / ".hakuriver/config.toml");
  CHECK(load_config({.environment = {home, "HAKURIVER_CONFIG=" + two}})->config.network.host_port == 2);
  CHECK(load_config({.environment = {home, "HAKURIVER_CONFIG=~/two.toml"}})->config.network.host_port == 2);
  CHECK(
      load_config({.config_file = three, .environment = {home, "HAKURIVER_CONFIG=" + two}})->config.network.host_port ==
      3);
  CHECK(load_config({.environment = {home, "HAKURIVER_CONFIG="}})->config.network.host_port == 1);
}

TEST_CASE("a flag wins over a variable, that over the file, that over the default") {
  const ScratchDirectory scratch;
  const std::string file =
      scratch.write("c.toml", "[network]\nhost_port = 1\nhost_reachable_address = 'file'\nhost_bind_ip = '1.1.1.1'\n");
  const auto loaded =
      load_config({.config_file = file,
                   .flags = {{"network.host_port", "3", "--port"}, {"network.host_port", "4", "--port"}},
                   .environment = {"HOME=/x", "HAKURIVER_NETWORK_HOST_PORT=2",
                                   "HAKURIVER_NETWORK_HOST_REACHABLE_ADDRESS=variable"}});
  REQUIRE(loaded);
  CHECK(loaded->config.network.host_port == 4);
  CHECK(loaded->config.network.host_reachable_address == "variable");
  CHECK(loaded->config.network.host_bind_ip == "1.1.1.1");
  CHECK(loaded->config.network.host_url == "http://variable:4");
}

TEST_CASE("HAKURIVER_HOST and HAKURIVER_TOKEN_FILE are for clients, other variables are left alone") {
  const auto loaded =
      load_config({.environment = {"HOME=/x", "HAKURIVER_HOST=https://head:9000/", "HAKURIVER_TOKEN_FILE=~/t",
                                   "HAKURIVER_TASK_ID=7", "HAKURIVER_SHARED_DIR=/s", "HAKURIVER_NONSENSE=1",
                                   "HAKURIVER_NETWORK_NONSENSE=1", "HAKURIVER_", "=", "", "HAKURIVER_RUNNER_CORES="}});
  REQUIRE(loaded);
  CHECK(loaded->config.network.host_url == "https://head:9000");
  CHECK(loaded->config.security.token_file == "/x/t");
  CHECK(loaded->config.paths.shared_dir == "/x/.hakuriver/shared");
  CHECK(!loaded->config.runner.millicores);
}

TEST_CASE("the host's URL is made of its address and port") {
  const auto url_of = [](const std::string& address) {
    return load_config({.flags = {{"network.host_reachable_address", address, "-"}}, .environment = {"HOME=/x"}})
        ->config.network.host_url;
  };
  CHECK(url_of("head") == "http://head:8000");
  CHECK(url_of("::1") == "http://[::1]:8000");
}

TEST_CASE("relative paths of a file count from its directory, others from the working directory") {
  const ScratchDirectory scratch;
  const std::string file =
      scratch.write("etc/c.toml",
                    "[paths]\nshared_dir = 'shared/../files/'\nlocal_temp_dir = '~/tmp'\nstate_dir = '/abs//x'\n"
                    "numactl_path = 'bin/numactl'\nhost_log_file = './host.log'\n");
  const auto loaded = load_config({.config_file = file,
                                   .flags = {{"database.db_file", "x.db", "--db"}},
                                   .environment = {"HOME=/home/me", "HAKURIVER_PATHS_RUNNER_LOG_FILE=r.log"}});
  REQUIRE(loaded);
  const std::string here = std::filesystem::current_path().string();
  CHECK(loaded->config.paths.shared_dir == scratch / "etc/files");
  CHECK(loaded->config.paths.local_temp_dir == "/home/me/tmp");
  CHECK(loaded->config.paths.state_dir == "/abs/x");
  CHECK(loaded->config.paths.numactl_path == scratch / "etc/bin/numactl");
  CHECK(loaded->config.paths.host_log_file == scratch / "etc/host.log");
  CHECK(loaded->config.paths.runner_log_file == here + "/r.log");
  CHECK(loaded->config.database.db_file == here + "/x.db");
}

TEST_CASE("a file that was asked for and cannot be read is one line") {
  const ScratchDirectory scratch;
  const auto missing = load_config({.config_file = scratch / "none.toml", .environment = {"HOME=/x"}});
  REQUIRE(!missing);
  CHECK(missing.error().code == Errc::not_found);
  CHECK(missing.error().message ==
        "configuration: cannot open '" + (scratch / "none.toml") + "': No such file or directory");
  CHECK(load_config({.environment = {"HOME=/x", "HAKURIVER_CONFIG=/none.toml"}}).error().code == Errc::not_found);
  const auto directory = load_config({.config_file = scratch.path(), .environment = {"HOME=/x"}});
  REQUIRE(!directory);
  CHECK(directory.error().message == "configuration: cannot read '" + scratch.path() + "': Is a directory");
  const auto endless = load_config({.config_file = "/dev/zero", .environment = {"HOME=/x"}});
  REQUIRE(!endless);
  CHECK(endless.error().code == Errc::limit);
}

TEST_CASE("a file of one MiB is read, one byte more is refused") {
  const ScratchDirectory scratch;
  std::string text;
  while (text.size() + 1024 <= std::size_t{1} << 20) text += "#" + std::string(1022, ' ') + "\n";
  REQUIRE(text.size() == std::size_t{1} << 20);
  CHECK(load_config({.config_file = scratch.write("c.toml", text), .environment = {"HOME=/x"}}));
  const auto refused = load_config({.config_file = scratch.write("c.toml", text + "#"), .environment = {"HOME=/x"}});
  REQUIRE(!refused);
  CHECK(refused.error().code == Errc::limit);
}

TEST_CASE("unknown keys and sections are errors that say what may have been meant") {
  struct Row {
    std::string text;
    std::string message;
  };
  const ScratchDirectory scratch;
  for (const auto& row : std::vector<Row>{
           {"[network]\nhost_prt = 1\n",
            ":2: unknown key 'host_prt' in [network]: did you mean host_port in [network]?"},
           {"[network]\n\nhost-port = 1\n",
            ":3: unknown key 'host-port' in [network]: did you mean host_port in [network]?"},
           {"[paths]\nhost_port = 1\n", ":2: unknown key 'host_port' in [paths]: did you mean host_port in [network]?"},
           {"[paths]\n\"\" = 1\n",
            ":2: unknown key '' in [paths]: expected one of shared_dir, local_temp_dir, numactl_path, host_log_file, "
            "runner_log_file, state_dir"},
           {"[database]\nzzzzzzzzzz = 1\n",
            ":2: unknown key 'zzzzzzzzzz' in [database]: expected one of db_file, keep_finished"},
           {"# x\n[netwrok]\nx = 1\n", ":2: unknown section 'netwrok': did you mean [network]?"},
           {"[gpu]\n",
            ":1: unknown section 'gpu': expected one of network, paths, database, timing, environment, docker, runner, "
            "security"},
           {"host_port = 1\n",
            ":1: unknown key 'host_port' outside of any section: did you mean host_port in [network]?"},
           {"[\"\"]\n",
            ":1: unknown section '': expected one of network, paths, database, timing, environment, docker, runner, "
            "security"},
           {"network = 1\n", ":1: 'network' is a section: expected [network]"},
           {"[[network]]\nhost_port = 1\n", ":1: 'network' is a section: expected [network]"},
           {"[network.host_port]\nx = 1\n",
            ":1: network.host_port: a table is not right: expected a whole number from 0 to 65535"},
           {"[network]\nb = 1\na = 2\n",
            ":2: unknown key 'b' in [network]: expected one of host_bind_ip, host_port, host_reachable_address, "
            "host_url, runner_address, runner_port, host_ssh_proxy_port"},
       }) {
    CAPTURE(row.text);
    const auto loaded = load_config({.config_file = scratch.write("c.toml", row.text), .environment = {"HOME=/x"}});
    REQUIRE(!loaded);
    CHECK(loaded.error().code == Errc::parse);
    CHECK(loaded.error().message == (scratch / "c.toml") + row.message);
  }
}

TEST_CASE("errors of variables and flags name them") {
  const auto variable = load_config({.environment = {"HOME=/x", "HAKURIVER_NETWORK_HOST_PORT=eighty"}});
  REQUIRE(!variable);
  CHECK(variable.error().message ==
        "HAKURIVER_NETWORK_HOST_PORT: 'eighty' is not right: expected a whole number from 0 to 65535");
  const auto host = load_config({.environment = {"HOME=/x", "HAKURIVER_HOST=head"}});
  REQUIRE(!host);
  CHECK(host.error().message == "HAKURIVER_HOST: 'head' is not right: expected a URL such as http://node1:8000");
  const auto flag = load_config({.flags = {{"network.host_port", "-1", "--port"}}, .environment = {"HOME=/x"}});
  REQUIRE(!flag);
  CHECK(flag.error().message == "--port: -1 is not right: expected a whole number from 0 to 65535");
  const auto wrong = load_config({.flags = {{"network.nonsense", "1", "--x"}}, .environment = {"HOME=/x"}});
  REQUIRE(!wrong);
  CHECK(wrong.error().code == Errc::invalid_argument);
}

TEST_CASE("an upstream file is taken") {
  const ScratchDirectory scratch;
  const std::string file = scratch.write(
      "c.toml",
      "[network]\nhost_bind_ip = \"0.0.0.0\"\nhost_port = 8000\nhost_reachable_address = \"10.0.0.1\"\n"
      "runner_address = \"127.0.1.1\"\nrunner_port = 8001\n\n"
      "[paths]\nshared_dir = \"/mnt/shared\"\nlocal_temp_dir = \"/tmp/x\"\nnumactl_path = \"\"\n"
      "host_log_file = \"host.log\"\nrunner_log_file = \"runner.log\"\n\n"
      "[database]\ndb_file = \"test/cluster_management.db\"\n\n"
      "[timing]\nheartbeat_interval = 5\nheartbeat_timeout_factor = 6\ncleanup_check_interval = 10\n\n"
      "[environment]\nrunner_user = \"\"\n\n"
      "[docker]\ncontainer_dir = \"hakuriver-containers\"\ndefault_container_name = \"hakuriver-base\"\n"
      "initial_base_image = \"python:3.12.10-alpine3.21\"\ntasks_privileged = false\nadditional_mounts = [\n]\n");
  const auto loaded =
      load_config({.config_file = file, .environment = {"HOME=/x", "HAKURIVER_RUNNER_LAUNCHER=docker"}});
  REQUIRE_MESSAGE(loaded, loaded.error().message);
  // The runner itself refuses a launcher that it does not have.
  CHECK(loaded->warnings.empty());
  CHECK(loaded->config.docker.default_container_name == "hakuriver-base");
  CHECK_FALSE(loaded->config.docker.allow_privileged.has_value());
  CHECK(loaded->config.network.runner_port == 8001);
  CHECK(loaded->config.database.db_file == scratch / "test/cluster_management.db");
  CHECK(load_config({.environment = {"HOME=/x", "HAKURIVER_RUNNER_LAUNCHER=plain"}})->warnings.empty());
}

TEST_CASE("a certificate without its key is refused") {
  CHECK(!load_config({.environment = {"HOME=/x", "HAKURIVER_SECURITY_TLS_KEY=/k"}}));
  const auto both = load_config(
      {.environment = {"HOME=/x", "HAKURIVER_SECURITY_TLS_KEY=/k", "HAKURIVER_SECURITY_TLS_CERTIFICATE=/c"}});
  REQUIRE(both);
  CHECK(both->warnings.size() == 2);
}

TEST_CASE("lists of variables and flags are separated by commas") {
  const auto loaded = load_config({.flags = {{"security.allowed_origins", "", "--origins"}},
                                   .environment = {"HOME=/x", "HAKURIVER_SECURITY_ALLOWED_HOSTS= a ,b,, c"}});
  REQUIRE(loaded);
  CHECK(loaded->config.security.allowed_hosts == std::vector<std::string>{"a", "b", "c"});
  CHECK(loaded->config.security.allowed_origins.empty());
}

TEST_CASE("loading creates nothing") {
  const ScratchDirectory scratch;
  REQUIRE(load_config({.environment = {"HOME=" + scratch.path()}}));
  CHECK(std::filesystem::is_empty(scratch.path()));
}

TEST_CASE("the names of keys, variables and sections are consistent") {
  std::vector<std::string> seen;
  for (const auto& key : config::keys()) {
    CAPTURE(config::full_name(key));
    CHECK(config::find_key(key.section, key.name) == &key);
    CHECK(config::is_section(key.section));
    CHECK(std::find(seen.begin(), seen.end(), config::variable_name(key)) == seen.end());
    seen.push_back(config::variable_name(key));
  }
  CHECK(!config::is_section(""));
  CHECK(config::find_key("network", "") == nullptr);
}
