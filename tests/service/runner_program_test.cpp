#include "cli/runner_program.hpp"

#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "cli/listen_address.hpp"
#include "cli/runner_dry_run.hpp"
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

namespace {

// What a runner of that launcher would run for a task of these options, by root or by somebody else.
struct DryRun {
  test::ScratchDirectory scratch;
  RunnerOptions options;
  cli::DryRunPlace place{false, true, "/lib/hakuriver-exec"};

  DryRun() {
    options.shared_dir = scratch.path + "/shared";
    options.local_temp_dir = scratch.path + "/tmp";
    options.package_dir = scratch.path + "/packages";
  }
  Result<std::vector<Argv>> of(const std::string& launcher, std::vector<cli::GivenOption> given) {
    options.launcher = launcher;
    return cli::build_dry_run({std::move(given), {"./a", "$b"}, true}, options, place);
  }
  Argv first(const std::string& launcher, std::vector<cli::GivenOption> given) {
    const auto lines = of(launcher, std::move(given));
    REQUIRE_MESSAGE(lines.has_value(), lines.error().message);
    return lines->front();
  }
  std::string refusal(const std::string& launcher, std::vector<cli::GivenOption> given) {
    const auto lines = of(launcher, std::move(given));
    REQUIRE_FALSE(lines.has_value());
    return lines.error().message;
  }
};

bool ends_with(const Argv& argv, const Argv& end) {
  return argv.size() >= end.size() && std::equal(end.rbegin(), end.rend(), argv.rbegin());
}

bool has(const Argv& argv, const std::string& word) { return std::find(argv.begin(), argv.end(), word) != argv.end(); }

}  // namespace

TEST_CASE("a dry run shows a service where a task asks for a world of its own") {
  DryRun run;
  const auto service = run.first("systemd", {{"private-network", "", false}, {"private-pid", "", false}});
  CHECK(service[0] == "systemd-run");
  CHECK(service[1] == "--unit=hakuriver-task-0");
  CHECK(has(service, "--property=PrivateNetwork=yes"));
  CHECK(has(service, "--property=WorkingDirectory=" + run.options.shared_dir));
  CHECK(ends_with(service, {"--", "/lib/hakuriver-exec", "--private-network", "--private-pid", "--", "./a", "$$b"}));
  CHECK(run.first("plain", {{"private-pid", "", false}}) ==
        Argv{"/lib/hakuriver-exec", "--private-pid", "--", "./a", "$b"});
  run.place.is_root = false;
  CHECK(run.refusal("plain", {{"private-pid", "", false}}).find("needs a runner that is root") != std::string::npos);
  const auto by_sudo = run.first("systemd", {{"private-pid", "", false}});
  CHECK(Argv(by_sudo.begin(), by_sudo.begin() + 4) == Argv{"sudo", "-n", "systemd-run", "--unit=hakuriver-task-0"});
  CHECK(has(by_sudo, "--user"));
  CHECK_FALSE(has(by_sudo, "--no-new-privileges"));
}

TEST_CASE("a dry run shows whom a task would run as, with no new privileges, or why not") {
  DryRun run;
  CHECK(run.refusal("plain", {{"user", "", true}}) == "--user is empty");
  CHECK(run.refusal("plain", {{"user", "no-such-user", true}}).find("'no-such-user'") != std::string::npos);
  if (::geteuid() != 0) {
    MESSAGE("skipped, run without: only root can run tasks as others");
    return;
  }
  for (const bool is_asked : {true, false}) {
    run.options.runner_user = is_asked ? "" : "nobody";
    const std::vector<cli::GivenOption> given =
        is_asked ? std::vector<cli::GivenOption>{{"user", "nobody", true}} : std::vector<cli::GivenOption>{};
    const auto argv = run.first("systemd", given);
    CHECK(argv[1] == (is_asked ? "--unit=hakuriver-task-0" : "--scope"));
    CHECK(has(argv, "--no-new-privileges"));
  }
  CHECK(run.refusal("plain", {{"private-pid", "", false}}).find("another user") != std::string::npos);
  CHECK(run.refusal("plain", {{"user", "daemon", true}}) == "this node runs no tasks as user 'daemon'");
  CHECK(has(run.first("plain", {{"container", "box", true}}), "--security-opt=no-new-privileges"));
}

TEST_CASE("a dry run shows how a container is made and started, or why it would not be") {
  DryRun run;
  const auto lines = run.of("plain", {{"container", "my-env", true},
                                      {"cores", "1.5", true},
                                      {"numa", "0", true},
                                      {"mount", "/data:/d:ro", true},
                                      {"private-network", "", false}});
  REQUIRE_MESSAGE(lines.has_value(), lines.error().message);
  REQUIRE(lines->size() == 2);
  const auto& made = lines->front();
  CHECK(Argv(made.begin(), made.begin() + 3) == Argv{"docker", "create", "--name=hakuriver-task-0"});
  for (const std::string word : {"--network=none", "--cpus=1.5", "--cpuset-mems=0"}) CHECK(has(made, word));
  CHECK(has(made, "--workdir=" + run.options.shared_dir));
  CHECK(has(made, "type=bind,source=/data,target=/d,readonly"));
  CHECK(ends_with(made, {"hakuriver/my-env:base", "./a", "$b"}));
  CHECK(lines->back() == Argv{"docker", "start", "--attach", "hakuriver-task-0"});
  CHECK(run.first("plain", {{"container", "NULL", true}}) == Argv{"./a", "$b"});
  CHECK(run.refusal("plain", {{"privileged", "", false}}).find("need a --container") != std::string::npos);
  CHECK(run.refusal("plain", {{"container", "My/Env", true}}).find("not an image's name") != std::string::npos);
  CHECK(run.refusal("plain", {{"container", "my-env@7", true}}).find("my-env@7") != std::string::npos);
  CHECK(run.refusal("plain", {{"container", "box", true}, {"mount", "data:/d", true}}).find("expected ") !=
        std::string::npos);
  CHECK(run.refusal("plain", {{"container", "box", true}, {"numa", "4711", true}}).find("no such NUMA node") !=
        std::string::npos);
}

TEST_CASE("a dry run of what the configuration does not allow names the key and exits with 4") {
  const test::ScratchDirectory scratch;
  const std::vector<std::string> environment{"HAKURIVER_HOME=" + scratch.path, "HAKURIVER_SECURITY_AUTH=none"};
  for (const auto& [words, key] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"--privileged"}, "[docker] allow_privileged"}, {{"--mount", "/data:/d"}, "[docker] allow_mounts"}}) {
    std::vector<std::string> all{"--dry-run", "--container", "box"};
    all.insert(all.end(), words.begin(), words.end());
    all.insert(all.end(), {"--", "true"});
    const auto refused = run(all, environment);
    CHECK(refused.status == 4);
    CHECK(refused.out.empty());
    CHECK_MESSAGE(refused.err.find(key) != std::string::npos, refused.err);
  }
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
