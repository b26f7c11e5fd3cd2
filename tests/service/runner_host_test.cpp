// Host and runner in one process, without a socket and without a database file.
#include <doctest/doctest.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "hakuriver/host.hpp"
#include "hakuriver/runner.hpp"
#include "service/running_runner.hpp"

using namespace hakuriver;

namespace {

// The host outlives the runner, which calls it.
class Cluster {
 public:
  explicit Cluster(const std::string& launcher) {
    HostOptions host_options;
    host_options.shared_dir = scratch.path;
    auto opened_host = Host::open(host_options, log);
    REQUIRE(opened_host);
    host = std::move(*opened_host);
    REQUIRE(host->start());
    RunnerOptions options;
    options.name = "node1";
    options.connect = host->connect();
    options.home = scratch.path + "/home";
    options.shared_dir = scratch.path;
    options.launcher = launcher;
    options.keeper_program = HAKURIVER_KEEPER_PROGRAM;
    auto opened = Runner::open(options, log);
    REQUIRE(opened);
    runner = std::move(*opened);
    thread = std::thread([this] { CHECK(runner->serve()); });
    REQUIRE(log->wait_for("registered as 'node1'"));
  }
  ~Cluster() {
    runner->stop(RunnerStop::leave_tasks);
    thread.join();
  }

  HttpReply ask(const std::string& method, const std::string& path, const std::string& body = {}) const {
    HttpRequest request;
    request.method = method;
    request.path = path.substr(0, path.find('?'));
    if (path.find("?wait=") != std::string::npos) request.query = {{"wait", path.substr(path.find('=') + 1)}};
    request.body = body;
    request.headers = {{"content-type", "application/json"}, {"idempotency-key", "key-" + std::to_string(body.size())}};
    auto reply = host->connect()()->call(request, std::chrono::seconds{90});
    REQUIRE(reply);
    return *reply;
  }

  test::ScratchDirectory scratch;
  std::shared_ptr<test::KeptLog> log = std::make_shared<test::KeptLog>();
  std::unique_ptr<Host> host;
  std::unique_ptr<Runner> runner;
  std::thread thread;
};

std::string id_in(const std::string& body, const std::string& name) {
  const auto at = body.find("\"" + name + "\":\"");
  REQUIRE(at != std::string::npos);
  const auto from = at + name.size() + 4;
  return body.substr(from, body.find('"', from) - from);
}

}  // namespace

TEST_CASE("a task that is submitted to a host runs at its runner and is told as it ended") {
  const Cluster cluster("plain");
  const auto submitted = cluster.ask("POST", "/api/v1/batches", R"({"argv": ["sh", "-c", "echo hi; exit 4"]})");
  CAPTURE(submitted.body);
  REQUIRE(submitted.status == 202);
  const std::string id = id_in(submitted.body, "first_task_id");
  const auto ended = cluster.ask("GET", "/api/v1/tasks/" + id + "?wait=60");
  CAPTURE(ended.body);
  CHECK(ended.body.find(R"("exit_code":4)") != std::string::npos);
  CHECK(ended.body.find(R"("failed")") != std::string::npos);
  std::ifstream output(cluster.scratch.path + "/task_outputs/" + id + ".out");
  CHECK(std::string(std::istreambuf_iterator<char>(output), {}) == "hi\n");
}

TEST_CASE("a large batch goes through host and runner, every task once") {
  const Cluster cluster("none");
  const auto submitted = cluster.ask("POST", "/api/v1/batches", R"({"argv": ["true"], "count": 20000})");
  CAPTURE(submitted.body);
  REQUIRE(submitted.status == 202);
  const auto ended = cluster.ask("GET", "/api/v1/batches/" + id_in(submitted.body, "batch_id") + "?wait=60");
  CAPTURE(ended.body);
  CHECK(ended.body.find(R"("completed":20000)") != std::string::npos);
  CHECK(ended.body.find(R"("done":true)") != std::string::npos);
}
