#include "cli/runner_program.hpp"

#include <doctest/doctest.h>
#include <signal.h>

#include <filesystem>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "cli/listen_address.hpp"
#include "hakuriver/version.hpp"
#include "http/server.hpp"
#include "service/running_runner.hpp"
#include "service/scripted_host.hpp"

using namespace hakuriver;

namespace {

struct Ran {
  int status = 0;
  std::string out;
  std::string err;
};

Ran run(const std::vector<std::string>& words, const std::vector<std::string>& environment) {
  std::ostringstream out;
  std::ostringstream err;
  const int status = cli::runner_program(words, environment, {out, err});
  return {status, out.str(), err.str()};
}

}  // namespace

TEST_CASE("help begins with examples and tells every option") {
  const auto ran = run({"--help"}, {});
  CHECK(ran.status == 0);
  CHECK(ran.out.starts_with("Examples:\n"));
  for (const std::string option : {"--config", "--name", "--host", "--listen", "--stop-tasks", "--version"}) {
    CHECK(ran.out.find(option) != std::string::npos);
  }
  CHECK(run({"--version"}, {}).out == "hakuriver.runner " HAKURIVER_VERSION "\n");
}

TEST_CASE("a dry run shows the line, numactl in front of the command inside the unit, and makes nothing") {
  const test::ScratchDirectory scratch;
  const std::vector<std::string> environment{"HAKURIVER_HOME=" + scratch.path + "/home"};
  const std::vector<std::string> task{"--dry-run", "--cores", "2", "--memory", "1G", "--numa", "0", "--", "./a", "b c"};
  const auto with = [&](const std::string& launcher) {
    std::vector<std::string> words{"--launcher", launcher};
    words.insert(words.end(), task.begin(), task.end());
    return run(words, environment);
  };
  CHECK(with("plain").out == "numactl --cpunodebind=0 --membind=0 -- ./a 'b c'\n");
  const auto unit = with("systemd");
  CHECK(unit.status == 0);
  CHECK(unit.out.find("systemd-run --scope --collect --unit=hakuriver-task-0 ") != std::string::npos);
  CHECK(
      unit.out.ends_with(" --property=CPUQuota=200% --property=MemoryMax=1073741824 --property=MemorySwapMax=0 --quiet "
                         "-- numactl --cpunodebind=0 --membind=0 -- ./a 'b c'\n"));
  CHECK_FALSE(std::filesystem::exists(scratch.path + "/home"));
}

TEST_CASE("a dry run shows a service where a task asks for a world of its own, and says what it cannot show") {
  const test::ScratchDirectory scratch;
  const std::vector<std::string> environment{"HAKURIVER_HOME=" + scratch.path};
  const auto with = [&](std::vector<std::string> words) {
    words.insert(words.begin(), "--dry-run");
    words.insert(words.end(), {"--", "./a", "$b"});
    return run(words, environment);
  };
  const auto service = with({"--launcher", "systemd", "--private-network", "--private-pid"}).out;
  CHECK(service.find("systemd-run --unit=hakuriver-task-0 ") != std::string::npos);
  CHECK(service.find(" --property=PrivateNetwork=yes ") != std::string::npos);
  CHECK(service.find("/hakuriver-exec ") != std::string::npos);
  CHECK(service.ends_with(" --private-network --private-pid -- ./a '$$b'\n"));
  const auto alone = with({"--launcher", "plain", "--private-pid"}).out;
  CHECK(alone.ends_with("/hakuriver-exec --private-pid -- ./a '$b'\n"));
  CHECK(
      with({"--launcher", "plain", "--user", "nobody", "--private-pid"}).err.find("needs a runner with the launcher") !=
      std::string::npos);
  CHECK(with({"--user", "no-such-user"}).err.find("--user 'no-such-user'") != std::string::npos);
  CHECK(with({"--privileged"}).err.find("need a --container") != std::string::npos);
}

TEST_CASE("a dry run shows how a container is made and started, or why it would not be") {
  const test::ScratchDirectory scratch;
  std::vector<std::string> environment{"HAKURIVER_HOME=" + scratch.path};
  const auto with = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"--dry-run", "--container", "my-env"});
    words.insert(words.end(), {"--", "./a", "b c"});
    return run(words, environment);
  };
  const auto made = with({"--cores", "1.5", "--numa", "0", "--mount", "/data:/d:ro", "--private-network"}).out;
  CHECK(made.starts_with("docker create --name=hakuriver-task-0 --init --network=none "));
  const std::vector<std::string> parts{" --cpus=1.5 ", " --cpuset-mems=0 ", " --workdir=" + scratch.path + "/shared ",
                                       " type=bind,source=/data,target=/d,readonly "};
  for (const auto& part : parts) {
    CAPTURE(part);
    CHECK(made.find(part) != std::string::npos);
  }
  CHECK(made.ends_with(" hakuriver/my-env:base ./a 'b c'\ndocker start --attach hakuriver-task-0\n"));
  CHECK(with({"--mount", "data:/d"}).err.find("mount 'data:/d': expected ") != std::string::npos);
  CHECK(with({"--numa", "4711"}).err.find("no such NUMA node") != std::string::npos);
  environment.emplace_back("HAKURIVER_SECURITY_AUTH=none");
  const auto refused = with({"--privileged"});
  CHECK(refused.status == 4);
  CHECK(refused.out.empty());
  CHECK(refused.err.find("[docker] allow_privileged") != std::string::npos);
  CHECK(with({"--mount", "/data:/d"}).err.find("[docker] allow_mounts") != std::string::npos);
}

TEST_CASE("a wrong command line or configuration is one line, exit 2, and makes nothing") {
  struct Row {
    std::vector<std::string> words;
    std::vector<std::string> environment;
    std::string expected;
  };
  const std::vector<Row> rows{
      {{"--nmae", "x"}, {}, "'--nmae'"},
      {{"node1"}, {}, "'node1'"},
      {{"--host", "ftp://x"}, {}, "'ftp://x'"},
      {{"--name", "a/b"}, {}, "'a/b'"},
      {{"--listen", "8001"}, {}, "'8001'"},
      {{"--launcher", "docker"}, {}, "launcher 'docker'"},
      {{"--dry-run"}, {}, "--dry-run: expected a command behind '--'"},
      {{"--dry-run", "--numa", "x", "--", "true"}, {}, "--numa 'x'"},
      {{"--dry-run", "--memory", "x", "--", "true"}, {}, "--memory: "},
      {{"--cores", "2"}, {}, "--cores is for --dry-run only"},
      {{"--container", "box"}, {}, "--container is for --dry-run only"},
      {{}, {"HAKURIVER_RUNNER_LAUNCHER=docker"}, "launcher 'docker'"},
      {{"a\033[31m\nb"}, {}, "'a\\x1b[31m\\nb'"},
      {{"--config", "/no/such.toml"}, {}, "'/no/such.toml'"},
      {{}, {"HAKURIVER_PATHS_SHARED_DIR=/no/such"}, "shared_dir: '/no/such'"},
      {{}, {"HAKURIVER_ENVIRONMENT_RUNNER_USER=no-such-user"}, "runner_user 'no-such-user'"},
      {{}, {"HAKURIVER_KEEPER=/no/such"}, "'/no/such'"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.expected);
    const test::ScratchDirectory scratch;
    auto environment = row.environment;
    environment.push_back("HAKURIVER_HOME=" + scratch.path);
    const auto ran = run(row.words, environment);
    CHECK(ran.status == 2);
    CHECK(ran.out.empty());
    CHECK(ran.err.starts_with("hakuriver.runner: "));
    CHECK(ran.err.find(row.expected) != std::string::npos);
    CHECK(ran.err.find('\n') == ran.err.size() - 1);
  }
}

TEST_CASE("a listen address has a port, and brackets where it is IPv6") {
  struct Row {
    std::string text, host;
    int port;  // -1: refused
  };
  const std::vector<Row> rows{{"127.0.0.1:8001", "127.0.0.1", 8001},
                              {"[::1]:0", "::1", 0},
                              {"node1:65535", "node1", 65535},
                              {"8001", "", -1},
                              {":8001", "", -1},
                              {"::1:8001", "", -1},
                              {"[]:1", "", -1},
                              {"a:65536", "", -1},
                              {"a:-1", "", -1},
                              {"a:1x", "", -1},
                              {"a:", "", -1}};
  for (const auto& row : rows) {
    CAPTURE(row.text);
    const auto parsed = cli::parse_listen(row.text);
    CHECK(parsed.has_value() == (row.port >= 0));
    if (!parsed) continue;
    CHECK(parsed->host == row.host);
    CHECK(parsed->port == row.port);
  }
}

TEST_CASE("the program serves until TERM, and says goodbye") {
  const test::ScratchDirectory scratch;
  test::ScriptedHost host;
  // Threads leave the signal to the program.
  sigset_t term;
  sigset_t before;
  ::sigemptyset(&term);
  ::sigaddset(&term, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &term, &before);
  auto server = http::HttpServer::open({.listen = {{"127.0.0.1", 0}}, .workers = 2}, host.handler());
  REQUIRE(server);
  REQUIRE((*server)->start());
  const std::string log = scratch.path + "/runner.log";
  const std::vector<std::string> environment{"HAKURIVER_HOME=" + scratch.path,
                                             "HAKURIVER_PATHS_RUNNER_LOG_FILE=" + log};
  std::thread sender([&host] {
    host.wait_until([](const test::ScriptedHost::Seen& seen) { return !seen.reports.empty(); });
    ::kill(::getpid(), SIGTERM);
  });
  const auto ran = run({"--launcher", "none", "--name", "node1", "--host",
                        "http://127.0.0.1:" + std::to_string((*server)->ports().front())},
                       environment);
  sender.join();
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  CHECK(ran.status == 0);
  CHECK(ran.err.empty());
  CHECK(host.seen().goodbyes == 1);
  CHECK(std::filesystem::file_size(log) > 0);
  CHECK(std::filesystem::exists(scratch.path + "/token"));
}
