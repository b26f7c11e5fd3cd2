#include "service/runner_service.hpp"

#include <doctest/doctest.h>
#include <errno.h>

#include <condition_variable>
#include <filesystem>
#include <future>
#include <memory>
#include <string>

#include "service/runner_routes.hpp"
#include "service/running_runner.hpp"
#include "service/scripted_host.hpp"

using namespace hakuriver;
using hakuriver::test::RunningRunner;
using hakuriver::test::ScriptedHost;
using Seen = ScriptedHost::Seen;

namespace {

constexpr BatchId kBatch{1000};

std::shared_ptr<const TaskSpec> spec_of(Argv argv) {
  auto spec = std::make_shared<TaskSpec>();
  spec->argv = std::move(argv);
  return spec;
}

// Starts nothing, and says why.
class UnwillingKeeper final : public KeeperPort {
 public:
  explicit UnwillingKeeper(Error why) : why_(std::move(why)) {}

  Result<KeeperListing> take_over(const std::string& cluster_id, Epoch epoch) override {
    return null_->take_over(cluster_id, epoch);
  }
  Status start(const StartRequest&) override { return why_; }
  Status signal(AttemptKey key, TaskSignal signal, std::chrono::milliseconds grace) override {
    return null_->signal(key, signal, grace);
  }
  Status confirm(std::uint64_t record) override { return null_->confirm(record); }
  int descriptor() const override { return null_->descriptor(); }
  void dispatch(const KeeperEvents& events) override { null_->dispatch(events); }

 private:
  const Error why_;
  std::unique_ptr<KeeperPort> null_ = test::make_null_keeper();
};

HttpReply ask(RunningRunner& runner, const std::string& method, const std::string& path) {
  const auto callers =
      service::make_local_callers(service::make_runner_routes(*runner.service, [] { return test::busy(34); }));
  HttpRequest request;
  request.method = method;
  request.path = path;
  auto reply = callers()->call(request, test::kPatience);
  REQUIRE(reply);
  return *reply;
}

}  // namespace

TEST_CASE("a task travels from the host to the keeper and its end back to the host") {
  ScriptedHost host;
  RunningRunner runner(host.handler());
  host.wait_until([](const Seen& seen) { return seen.registrations.size() == 1; });
  host.order_start(kBatch, 1, spec_of({"true"}));
  host.wait_until([](const Seen& seen) { return seen.ended().size() == 1; });
  const auto seen = host.seen();
  CHECK(seen.hellos.at(0).node == "node1");
  CHECK(seen.registrations.at(0).challenge == 17);
  CHECK(seen.registrations.at(0).facts == test::two_cores());
  CHECK(seen.events.at(0).kind == NodeEventKind::started);
  CHECK(seen.ended().at(0).key == AttemptKey{TaskId{1001}, Attempt{1}});
  CHECK(seen.ended().at(0).outcome == Outcome{OutcomeKind::exited, 0});
  CHECK(std::filesystem::is_directory(runner.shared.path + "/task_outputs"));
  CHECK(std::filesystem::is_directory(runner.shared.path + "/task_errors"));
}

TEST_CASE("a start that the keeper does not take goes back with its reason, and whose fault it is") {
  struct Row {
    Error error;
    std::int32_t value;
  };
  for (const auto& row : {Row{{Errc::invalid_argument, "a refusal of 5000 bytes"}, kNeverTakes},
                          Row{{Errc::internal, "the keeper is of a version without users"}, EIO}}) {
    CAPTURE(row.error.message);
    ScriptedHost host;
    RunningRunner runner(host.handler(), std::make_unique<UnwillingKeeper>(row.error));
    host.wait_until([](const Seen& seen) { return seen.registrations.size() == 1; });
    host.order_start(kBatch, 1, spec_of({"true"}));
    host.wait_until([](const Seen& seen) { return !seen.events.empty(); });
    const NodeEvent event = host.seen().events[0];
    CHECK(event.kind == NodeEventKind::returned);
    CHECK(event.attempt.outcome == Outcome{OutcomeKind::never_started, row.value});
    CHECK(event.attempt.message == row.error.message);
  }
}

TEST_CASE("many more tasks than the node has room for all end, each once, in order") {
  ScriptedHost host;
  RunningRunner runner(host.handler());
  host.wait_until([](const Seen& seen) { return seen.registrations.size() == 1; });
  constexpr std::uint64_t kCount = 5000;
  host.order_start(kBatch, kCount, spec_of({"true"}));
  host.wait_until([](const Seen& seen) { return seen.ended().size() >= kCount; });
  const auto ended = host.seen().ended();
  REQUIRE(ended.size() == kCount);
  bool in_order = true;
  for (std::uint64_t i = 0; i < kCount; ++i) in_order = in_order && ended[i].key.task == task_of(kBatch, i);
  CHECK(in_order);
}

TEST_CASE("a report with the machine's health comes although nothing happens") {
  ScriptedHost host;
  RunningRunner runner(host.handler());
  host.wait_until([](const Seen& seen) {
    return !seen.reports.empty() && seen.reports.back().health && seen.reports.back().health->cpu_percent == 12;
  });
  CHECK(host.seen().events.empty());
}

TEST_CASE("a runner asks until there is a host, and says only once why it waits") {
  ScriptedHost host;
  host.answer_with(500, "nobody");
  RunningRunner runner(host.handler());
  host.wait_until([](const Seen& seen) { return seen.calls > 5; });
  CHECK(runner.log.count("500") == 1);
  host.answer_with(200);
  host.wait_until([](const Seen& seen) { return seen.registrations.size() == 1; });
}

TEST_CASE("a host that is away for a while during a run is missed once, and so is the next time") {
  ScriptedHost host;
  RunningRunner runner(host.handler());
  host.wait_until([](const Seen& seen) { return seen.registrations.size() == 1; });
  for (std::size_t time = 1; time <= 2; ++time) {
    host.answer_with(500, "away");
    host.wait_until([calls = host.seen().calls](const Seen& seen) { return seen.calls > calls + 10; });
    host.answer_with(200);
    host.wait_until(
        [reports = host.seen().reports.size()](const Seen& seen) { return seen.reports.size() > reports + 1; });
    CHECK(runner.log.count("away") == time);
    CHECK(runner.log.count("the host answers again") == time);
  }
  CHECK(host.seen().registrations.size() == 1);
}

TEST_CASE("a token that the host does not accept is named once, and tried again") {
  ScriptedHost host;
  host.answer_with(401, R"({"detail": "a token is needed"})");
  RunningRunner runner(host.handler());
  host.wait_until([](const Seen& seen) { return seen.calls > 5; });
  CHECK(runner.log.count("does not accept this runner's token (401)") == 1);
  host.answer_with(200);
  host.wait_until([](const Seen& seen) { return seen.registrations.size() == 1; });
}

TEST_CASE("a host that forgot the run gets a new registration that lists what was not confirmed") {
  ScriptedHost host;
  RunningRunner runner(host.handler());
  host.wait_until([](const Seen& seen) { return seen.registrations.size() == 1; });
  host.answer_with(409, wire::encode(NodeRefusal{Refusal::register_again, "unknown run"}));
  host.wait_until([calls = host.seen().calls](const Seen& seen) { return seen.calls > calls + 2; });
  host.answer_with(200);
  host.wait_until([](const Seen& seen) { return seen.registrations.size() == 2; });
  CHECK(host.seen().registrations.at(1).run != host.seen().registrations.at(0).run);
  host.order_start(kBatch, 3, spec_of({"true"}));
  host.wait_until([](const Seen& seen) { return seen.ended().size() == 3; });
}

TEST_CASE("a runner that stops says goodbye after everything is told") {
  ScriptedHost host;
  RunningRunner runner(host.handler());
  host.wait_until([](const Seen& seen) { return seen.registrations.size() == 1; });
  host.order_start(kBatch, 100, spec_of({"true"}));
  host.wait_until([](const Seen& seen) { return !seen.events.empty(); });
  runner.service->stop(RunnerStop::leave_tasks);
  runner.thread.join();
  const auto seen = host.seen();
  CHECK(seen.goodbyes == 1);
  std::size_t told = 0;
  for (const auto& event : seen.events) told += event.kind != NodeEventKind::started ? 1U : 0U;
  CHECK(told == 100);
}

TEST_CASE("a runner without a host stops at once when it is asked to") {
  ScriptedHost host;
  host.answer_with(503, "{}");
  RunningRunner runner(host.handler());
  host.wait_until([](const Seen& seen) { return seen.calls > 0; });
  SUBCASE("and leaves its tasks") { runner.service->stop(RunnerStop::leave_tasks); }
  SUBCASE("and tells nobody") { runner.service->stop(RunnerStop::at_once); }
  runner.thread.join();
  CHECK(host.seen().goodbyes == 0);
}

TEST_CASE("a weaker wish to stop does not take a stronger one back") {
  ScriptedHost host;
  RunningRunner runner(host.handler());
  host.wait_until([](const Seen& seen) { return seen.registrations.size() == 1; });
  host.answer_with(503, "{}");
  runner.service->stop(RunnerStop::at_once);
  runner.service->stop(RunnerStop::leave_tasks);
  runner.thread.join();
  CHECK(host.seen().goodbyes == 0);
}

TEST_CASE("a runner answers reads where it listens") {
  ScriptedHost host;
  RunningRunner runner(host.handler());
  host.wait_until([](const Seen& seen) { return !seen.reports.empty(); });
  const auto health = ask(runner, "GET", "/health");
  CHECK(health.status == 200);
  CHECK(health.body.find(R"("hostname":"node1")") != std::string::npos);
  CHECK(health.body.find(R"("registered":true)") != std::string::npos);
  CHECK(health.body.find(R"("cpu_percent":34)") != std::string::npos);
  CHECK(ask(runner, "GET", "/tasks").body == R"({"tasks":[],"waiting":0})");
  CHECK(ask(runner, "GET", "/api/tasks").status == 200);
  CHECK(ask(runner, "POST", "/tasks").status == 405);
  CHECK(ask(runner, "GET", "/task/1/stdout").status == 404);
}
