#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "hakuriver/runner.hpp"
#include "http/client.hpp"
#include "http/server.hpp"
#include "service/running_runner.hpp"
#include "service/scripted_host.hpp"

using namespace hakuriver;
using hakuriver::test::ScratchDirectory;
using hakuriver::test::ScriptedHost;
using Seen = ScriptedHost::Seen;

namespace {

constexpr BatchId kBatch{1000};
const std::string kToken(64, 'e');

RunnerOptions options_for(ScriptedHost& host, const ScratchDirectory& scratch) {
  RunnerOptions options;
  options.name = "node1";
  options.connect = service::make_local_callers(host.handler());
  options.home = scratch.path;
  options.keeper_program = HAKURIVER_KEEPER_PROGRAM;
  options.kill_grace = std::chrono::milliseconds{500};
  return options;
}

class KeptWarnings final : public LogSink {
 public:
  void write(LogLevel level, std::string_view message) override {
    const std::lock_guard lock(mutex_);
    if (level == LogLevel::warning) text_.append(message).append("\n");
  }
  bool holds(std::string_view part) {
    const std::lock_guard lock(mutex_);
    return text_.find(part) != std::string::npos;
  }

 private:
  std::mutex mutex_;
  std::string text_;
};

// A runner with a keeper of its own, serving on a thread of its own.
class OpenRunner {
 public:
  explicit OpenRunner(RunnerOptions options) {
    auto opened = Runner::open(std::move(options), log);
    if (!opened) FAIL(opened.error().message);
    runner = std::move(*opened);
    thread = std::thread([this] { CHECK(runner->serve()); });
  }
  ~OpenRunner() { stop(RunnerStop::at_once); }

  void stop(RunnerStop how) {
    if (!thread.joinable()) return;
    runner->stop(how);
    thread.join();
  }

  std::shared_ptr<test::KeptLog> log = std::make_shared<test::KeptLog>();
  std::unique_ptr<Runner> runner;
  std::thread thread;
};

std::shared_ptr<const TaskSpec> shell(const std::string& script) {
  auto spec = std::make_shared<TaskSpec>();
  spec->argv = {"sh", "-c", script};
  spec->resources = {0, 0};
  return spec;
}

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Once a task reads there, opening it to write returns.
std::string make_gate(const ScratchDirectory& scratch) {
  std::string path = scratch.path + "/gate";
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  return path;
}

void open_gate(const std::string& path) { std::ofstream(path) << "go\n"; }

}  // namespace

TEST_CASE("a task runs in the shared directory, writes its files, and its exit code arrives") {
  const ScratchDirectory scratch;
  ScriptedHost host;
  OpenRunner runner(options_for(host, scratch));
  host.wait_until([](const Seen& seen) { return seen.registrations.size() == 1; });
  host.order_start(kBatch, 1, shell("pwd; echo $HAKURIVER_TASK_ID-$HAKURIVER_NODE; echo wrong >&2; exit 3"));
  host.wait_until([](const Seen& seen) { return seen.ended().size() == 1; });
  const auto ended = host.seen().ended().at(0);
  CHECK(ended.outcome == Outcome{OutcomeKind::exited, 3});
  const std::string shared = scratch.path + "/shared";
  const std::string output = shared + "\n1001-node1\n";
  CHECK(text_of(shared + "/task_outputs/1001.out") == output);
  CHECK(text_of(shared + "/task_errors/1001.err") == "wrong\n");
  CHECK(ended.stdout_bytes == output.size());
  const std::string id = host.seen().hellos.at(0).runner_id;
  CHECK(text_of(shared + "/.hakuriver/" + id) == "node1\n");
}

TEST_CASE("a task does not notice that its runner stops, and the next runner tells how it ended") {
  const ScratchDirectory scratch;
  const std::string gate = make_gate(scratch);
  ScriptedHost host;
  auto how = RunnerStop::leave_tasks;
  SUBCASE("in good order") { how = RunnerStop::leave_tasks; }
  SUBCASE("at once") { how = RunnerStop::at_once; }
  {
    OpenRunner first(options_for(host, scratch));
    host.wait_until([](const Seen& seen) { return seen.registrations.size() == 1; });
    host.order_start(kBatch, 1, shell("read word < " + gate + "; exit 5"));
    host.wait_until([](const Seen& seen) { return seen.events.size() == 1; });
    first.stop(how);
    CHECK(host.seen().goodbyes == (how == RunnerStop::leave_tasks ? 1 : 0));
  }
  OpenRunner second(options_for(host, scratch));
  host.wait_until([](const Seen& seen) { return seen.registrations.size() == 2; });
  const auto listed = host.seen().registrations.at(1);
  REQUIRE(listed.attempts.size() == 1);
  CHECK(listed.attempts[0].state == KeptState::running);
  CHECK(listed.session == host.seen().registrations.at(0).session);
  CHECK(listed.runner_id == host.seen().registrations.at(0).runner_id);
  open_gate(gate);
  host.wait_until([](const Seen& seen) { return seen.ended().size() == 1; });
  CHECK(host.seen().ended().at(0).outcome == Outcome{OutcomeKind::exited, 5});
}

TEST_CASE("a runner that is asked to end its tasks tells how they ended before it says goodbye") {
  const ScratchDirectory scratch;
  const std::string gate = make_gate(scratch);
  ScriptedHost host;
  OpenRunner runner(options_for(host, scratch));
  host.wait_until([](const Seen& seen) { return seen.registrations.size() == 1; });
  host.order_start(kBatch, 1, shell("read word < " + gate));
  host.wait_until([](const Seen& seen) { return seen.events.size() == 1; });
  runner.stop(RunnerStop::end_tasks);
  const auto seen = host.seen();
  REQUIRE(seen.ended().size() == 1);
  CHECK(seen.ended()[0].outcome.kind == OutcomeKind::signaled);
  CHECK(seen.ended()[0].by_request);
  CHECK(seen.goodbyes == 1);
}

TEST_CASE("tasks are paused, resumed and killed by order") {
  const ScratchDirectory scratch;
  const std::string gate = make_gate(scratch);
  ScriptedHost host;
  OpenRunner runner(options_for(host, scratch));
  host.wait_until([](const Seen& seen) { return seen.registrations.size() == 1; });
  host.order_start(kBatch, 1, shell("read word < " + gate));
  host.wait_until([](const Seen& seen) { return seen.events.size() == 1; });
  host.order(OrderKind::pause, kBatch, TaskId{1001});
  host.wait_until([](const Seen& seen) { return seen.events.size() == 2; });
  host.order(OrderKind::resume, kBatch, TaskId{1001});
  host.wait_until([](const Seen& seen) { return seen.events.size() == 3; });
  host.order(OrderKind::kill, kBatch, TaskId{1001});
  host.wait_until([](const Seen& seen) { return seen.ended().size() == 1; });
  const auto events = host.seen().events;
  CHECK(events.at(1).kind == NodeEventKind::paused);
  CHECK(events.at(2).kind == NodeEventKind::resumed);
  CHECK(events.at(3).attempt.by_request);
}

TEST_CASE("one runner of a name has a machine, and the second one is told who") {
  const ScratchDirectory scratch;
  ScriptedHost host;
  OpenRunner runner(options_for(host, scratch));
  const auto second = Runner::open(options_for(host, scratch), runner.log);
  REQUIRE_FALSE(second);
  CHECK(second.error().code == Errc::conflict);
  CHECK(second.error().message.find("process " + std::to_string(::getpid())) != std::string::npos);
  auto other = options_for(host, scratch);
  other.name = "node2";
  CHECK(Runner::open(other, runner.log));
}

TEST_CASE("what cannot work is refused in one line that names the option, and nothing is made") {
  struct Row {
    std::string expected;
    void (*change)(RunnerOptions&);
  };
  const std::vector<Row> rows{
      {"name 'a b'", [](RunnerOptions& it) { it.name = "a b"; }},
      {"shared_dir: '/no/such' is no directory", [](RunnerOptions& it) { it.shared_dir = "/no/such"; }},
      {"shared_dir: 'relative' is not an absolute path", [](RunnerOptions& it) { it.shared_dir = "relative"; }},
      {"local_temp_dir: '/dev/null' is no directory", [](RunnerOptions& it) { it.local_temp_dir = "/dev/null"; }},
      {"state_dir", [](RunnerOptions& it) { it.state_dir = "/proc/here"; }},
      {"host_url", [](RunnerOptions& it) { it.host_url = "nonsense"; }},
      {"launcher 'rocket': expected auto, systemd, cgroup, plain or none",
       [](RunnerOptions& it) { it.launcher = "rocket"; }},
      {"additional_mounts: '/a': expected /DIR",
       [](RunnerOptions& it) {
         it.additional_mounts = {"/b:/b", "/a"};
       }},
      {"allow_mounts: 'x': expected an absolute",
       [](RunnerOptions& it) {
         it.allow_mounts = {"/b", "x"};
       }},
      {"runner_user 'no-such-user': t", [](RunnerOptions& it) { it.runner_user = "no-such-user"; }},
      {"0.0.0.0 needs a token",
       [](RunnerOptions& it) {
         it.listen_address = "0.0.0.0";
         it.listen_port = 0;
       }},
      {"synthetic topology", [](RunnerOptions& it) { it.synthetic_topology = "rubbish"; }},
  };
  for (const auto& row : rows) {
    CAPTURE(row.expected);
    const ScratchDirectory scratch;
    ScriptedHost host;
    auto options = options_for(host, scratch);
    row.change(options);
    const auto opened = Runner::open(options, std::make_shared<test::KeptLog>());
    REQUIRE_FALSE(opened);
    CHECK(opened.error().message.find(row.expected) != std::string::npos);
    CHECK(opened.error().message.find('\n') == std::string::npos);
    CHECK_FALSE(std::filesystem::exists(scratch.path + "/state"));
  }
}

TEST_CASE("a root runner of another machine's host wants to be told whom tasks run as") {
  if (::geteuid() != 0) return;
  const ScratchDirectory scratch;
  ScriptedHost host;
  auto options = options_for(host, scratch);
  options.connect = nullptr;
  options.host_url = "http://192.0.2.1:8000";
  const auto opened = Runner::open(options, std::make_shared<test::KeptLog>());
  REQUIRE_FALSE(opened);
  CHECK(opened.error().message.find("runner_user") != std::string::npos);
  options.runner_user = "root";
  CHECK(Runner::open(options, std::make_shared<test::KeptLog>()));
}

TEST_CASE("why a node offers no containers is told in its log") {
  // Not at /var/run/docker.sock, where there may be an engine.
  for (const std::string told : {"tcp://127.0.0.1:2375", "unix:///no/such/socket"}) {
    CAPTURE(told);
    ::setenv("DOCKER_HOST", told.c_str(), 1);
    ScriptedHost host;
    const ScratchDirectory scratch;
    const auto warnings = std::make_shared<KeptWarnings>();
    const auto opened = Runner::open(options_for(host, scratch), warnings);
    ::unsetenv("DOCKER_HOST");
    REQUIRE(opened);
    CHECK(warnings->holds("no containers: "));
    CHECK(warnings->holds(told.substr(told.find("://") + 3)));
  }
}

TEST_CASE("a keeper that is missing is named before anything begins") {
  const ScratchDirectory scratch;
  ScriptedHost host;
  auto options = options_for(host, scratch);
  options.keeper_program = scratch.path + "/no-keeper";
  const auto opened = Runner::open(options, std::make_shared<test::KeptLog>());
  REQUIRE_FALSE(opened);
  CHECK(opened.error().message.find("'" + scratch.path + "/no-keeper'") != std::string::npos);
}

TEST_CASE("a keeper that dies takes no task along, and the runner finds it again") {
  const ScratchDirectory scratch;
  const std::string gate = make_gate(scratch);
  ScriptedHost host;
  OpenRunner runner(options_for(host, scratch));
  host.wait_until([](const Seen& seen) { return seen.registrations.size() == 1; });
  host.order_start(kBatch, 1, shell("read word < " + gate));
  host.wait_until([](const Seen& seen) { return seen.events.size() == 1; });
  const int keeper = std::stoi(text_of(scratch.path + "/state/runner-node1/lock"));
  REQUIRE(keeper > 1);
  REQUIRE(::kill(keeper, SIGKILL) == 0);
  host.wait_until([](const Seen& seen) { return seen.registrations.size() == 2; });
  CHECK(runner.log->count("the keeper is gone") == 1);
  const auto listed = host.seen().registrations.at(1);
  REQUIRE(listed.attempts.size() == 1);
  CHECK(listed.attempts[0].state == KeptState::running);
  open_gate(gate);
  host.wait_until([](const Seen& seen) { return seen.ended().size() == 1; });
  CHECK(host.seen().ended().at(0).outcome.kind == OutcomeKind::unknown);
}

TEST_CASE("a runner works over TCP with a token, answers reads, and stops while its poll waits") {
  const ScratchDirectory scratch;
  ScriptedHost host;
  auto server = http::HttpServer::open({.listen = {{"127.0.0.1", 0}}, .workers = 2}, host.handler());
  REQUIRE(server);
  REQUIRE((*server)->start());
  auto options = options_for(host, scratch);
  options.connect = nullptr;
  options.host_url = "http://127.0.0.1:" + std::to_string((*server)->ports().front());
  options.token = kToken;
  options.launcher = "none";
  options.listen_port = 0;
  OpenRunner runner(options);
  host.wait_until([](const Seen& seen) { return seen.registrations.size() == 1; });
  CHECK(host.seen().registrations[0].facts.launcher == "none");
  host.order_start(kBatch, 50, shell("true"));
  host.wait_until([](const Seen& seen) { return seen.ended().size() == 50; });
  const http::Url url{"127.0.0.1", runner.runner->port(), ""};
  struct Row {
    std::string token;
    int status;
  };
  const std::vector<Row> rows{{kToken, 200}, {"", 401}, {std::string(64, 'f'), 401}};
  for (const auto& row : rows) {
    auto client = http::HttpClient::open(url, {.token = row.token});
    REQUIRE(client);
    const auto reply = (*client)->send({.path = "/health"});
    REQUIRE(reply);
    CHECK(reply->status == row.status);
  }
  runner.stop(RunnerStop::leave_tasks);
  CHECK(host.seen().goodbyes == 1);
}
