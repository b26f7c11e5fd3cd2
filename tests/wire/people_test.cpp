#include "wire/people.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "wire/invalid_input.hpp"
#include "wire/json.hpp"

using namespace hakuriver;
using namespace hakuriver::wire;

namespace {

TaskView small_task() {
  TaskView task;
  task.id = {42};
  task.batch = {41};
  task.spec = std::make_shared<const TaskSpec>(TaskSpec{{"echo", "hi"}, {}, {}, "", "", "", {}, false, false, false});
  return task;
}

TaskView full_task() {
  TaskView task = small_task();
  task.id = {9223372036854775806U};
  task.spec = std::make_shared<const TaskSpec>(TaskSpec{{"/bin/x", "\xFF", "é"},
                                                        {{"A", "1"}, {"B", "\xFE"}},
                                                        {1500, 7},
                                                        "n",
                                                        "/w",
                                                        "img",
                                                        {"/a:/b"},
                                                        true,
                                                        true,
                                                        true,
                                                        {},
                                                        0,
                                                        std::chrono::milliseconds{90'500},
                                                        "alice",
                                                        5});
  task.status = TaskStatus::killed;
  task.target = Target{"node1", 1};
  task.node = "node1";
  task.attempt = {3};
  task.exit_code = -9;
  task.message = "ended by request";
  task.kill_requested = true;
  task.submitted_at = {1'744'977'600'000'001};
  task.started_at = {1'744'977'601'000'000};
  task.ended_at = {1'744'977'602'000'000};
  task.outcome = Outcome{OutcomeKind::signaled, 9};
  task.usage = {1'500'000, 4096};
  task.stdout_path = "/s/1.out";
  task.stderr_path = "/s/1.err";
  task.stdout_bytes = 10;
  task.stderr_bytes = 20;
  task.launcher = "systemd";
  task.enforced = {"cores", "memory"};
  return task;
}

void check_same(const TaskView& a, const TaskView& b) {
  CHECK(encode(a) == encode(b));
  CHECK(*a.spec == *b.spec);
  CHECK(a.id == b.id);
  CHECK(a.batch == b.batch);
  CHECK(a.status == b.status);
  CHECK(a.target == b.target);
  CHECK(a.node == b.node);
  CHECK(a.attempt == b.attempt);
  CHECK(a.exit_code == b.exit_code);
  CHECK(a.message == b.message);
  CHECK(a.kill_requested == b.kill_requested);
  CHECK(a.submitted_at == b.submitted_at);
  CHECK(a.started_at == b.started_at);
  CHECK(a.ended_at == b.ended_at);
  CHECK(a.outcome == b.outcome);
  CHECK(a.usage == b.usage);
  CHECK(a.stdout_path == b.stdout_path);
  CHECK(a.stderr_path == b.stderr_path);
  CHECK(a.stdout_bytes == b.stdout_bytes);
  CHECK(a.stderr_bytes == b.stderr_bytes);
  CHECK(a.launcher == b.launcher);
  CHECK(a.enforced == b.enforced);
}

NodeView full_node() {
  NodeView node;
  node.name = "node1";
  node.status = "online";
  node.drained = true;
  node.facts = {2'000'000'000,
                1ULL << 40,
                {{0, {0, 1}, 1ULL << 30}, {2, {2}, 0}, {10, {3}, 5}},
                "cgroup",
                {"cores"},
                true,
                true,
                true,
                true,
                {"alice", "bob"},
                64,
                "http://node1:8001"};
  node.millicores_in_use = 1'250;
  node.memory_in_use_bytes = 9;
  node.tasks = 3;
  node.last_heartbeat = {1'744'977'600'000'001};
  node.health = NodeHealth{12.5, 1, 2, 50.25, 40.5, std::nullopt};
  node.note = "holds back after a fault";
  return node;
}

void check_same(const NodeView& a, const NodeView& b) {
  CHECK(encode(std::vector<NodeView>{a}) == encode(std::vector<NodeView>{b}));
  CHECK(a.facts == b.facts);
  CHECK(a.health == b.health);
  CHECK(a.millicores_in_use == b.millicores_in_use);
  CHECK(a.last_heartbeat == b.last_heartbeat);
}

}  // namespace

TEST_CASE("a task has every field of the seed era") {
  const auto task = nlohmann::json::parse(encode_seed(full_task()));
  CHECK(task.at("task_id") == "9223372036854775806");
  CHECK(task.at("batch_id") == "41");
  CHECK(task.at("command") == "/bin/x");
  CHECK(task.at("arguments") == nlohmann::json::array({"\xEF\xBF\xBD", "é"}));
  CHECK(task.at("env_vars") == nlohmann::json{{"A", "1"}, {"B", "\xEF\xBF\xBD"}});
  CHECK(task.at("required_cores") == 1.5);
  CHECK(task.at("required_memory_bytes") == 7);
  CHECK(task.at("status") == "killed");
  CHECK(task.at("assigned_node") == "node1");
  CHECK(task.at("target_numa_node_id") == 1);
  CHECK(task.at("assigned_numa_node_id").is_null());  // the node does not bind
  TaskView bound = full_task();
  bound.enforced = {"numa"};
  CHECK(nlohmann::json::parse(encode(bound)).at("assigned_numa_node_id") == 1);
  CHECK(task.at("stdout_path") == "/s/1.out");
  CHECK(task.at("stderr_path") == "/s/1.err");
  CHECK(task.at("exit_code") == -9);
  CHECK(task.at("error_message") == "ended by request");
  CHECK(task.at("submitted_at") == "2025-04-18T12:00:00.000001+00:00");
  CHECK(task.at("started_at") == "2025-04-18T12:00:01.000000+00:00");
  CHECK(task.at("completed_at") == "2025-04-18T12:00:02.000000+00:00");
  CHECK(task.at("systemd_unit_name") == "hakuriver-task-9223372036854775806");
  CHECK(task.at("assignment_suspicion_count") == 0);
  CHECK(task.at("use_private_network") == true);
  CHECK(task.at("use_private_pid") == true);
  CHECK(task.at("time_limit") == 90.5);
  CHECK(task.at("user") == "alice");
  CHECK(task.at("nice") == 5);
  CHECK(task.at("timed_out") == false);
  CHECK(task.at("container_name") == "img");
  CHECK(task.at("container_version").is_null());
  CHECK(task.at("cpu_seconds") == 1.5);
}

TEST_CASE("an environment has the name it was asked for by, and beside it the version that a task got") {
  TaskView task = full_task();
  auto spec = std::make_shared<TaskSpec>(*task.spec);
  for (const std::string container : {"my-env@1763740000", "my-env", "python:3.12", "python@sha256:00", ""}) {
    CAPTURE(container);
    spec->container = container;
    task.spec = spec;
    const auto again = decode_task(encode(task));
    REQUIRE_MESSAGE(again, (again ? "" : again.error().message));
    CHECK(again->spec->container == container);
  }
  spec->container = "my-env@1763740000";
  task.spec = spec;
  const auto json = nlohmann::json::parse(encode(task));
  CHECK(json.at("container_name") == "my-env");
  CHECK(json.at("container_version") == 1763740000);
}

TEST_CASE("a task that reached its time limit says so") {
  TaskView task = full_task();
  task.status = TaskStatus::failed;
  task.outcome = Outcome{OutcomeKind::timed_out, 0};
  task.exit_code = 124;
  const auto json = nlohmann::json::parse(encode(task));
  CHECK(json.at("timed_out") == true);
  CHECK(json.at("outcome").at("kind") == "timed_out");
  const auto back = decode_task(encode(task));
  REQUIRE(back);
  check_same(*back, task);
}

TEST_CASE("a task that waits has its reason, no end, and an empty environment that is an object") {
  TaskView task = small_task();
  task.message = "every node is busy";
  const auto json = nlohmann::json::parse(encode_seed(task));
  CHECK(json.at("status") == "pending");
  CHECK(json.at("waiting_reason") == "every node is busy");
  CHECK(json.at("env_vars") == nlohmann::json::object());
  CHECK(json.at("required_cores") == 1);
  for (const auto* name : {"error_message", "assigned_node", "target_numa_node_id", "exit_code", "started_at",
                           "completed_at", "required_memory_bytes", "systemd_unit_name", "max_rss_bytes"}) {
    CAPTURE(name);
    CHECK(json.at(name).is_null());
  }
}

TEST_CASE("a task is read back as it was written") {
  for (const auto& task : {small_task(), full_task()}) {
    const auto back = decode_task(encode(task));
    REQUIRE_MESSAGE(back.has_value(), (back ? std::string{} : back.error().message));
    check_same(*back, task);
  }
  TaskView task = small_task();
  for (std::size_t status = 0; status < kTaskStatusCount; ++status) {
    task.status = static_cast<TaskStatus>(status);
    CHECK(decode_task(encode(task))->status == task.status);
  }
  for (int kind = 0; kind < 5; ++kind) {
    task.outcome = Outcome{static_cast<OutcomeKind>(kind), 3 - kind};
    CHECK(decode_task(encode(task))->outcome == task.outcome);
  }
}

TEST_CASE("pages of tasks are read back, with where they go on") {
  const auto page = decode_task_page(encode(TaskPage{{small_task(), full_task()}, TaskId{40}}));
  REQUIRE(page);
  REQUIRE(page->tasks.size() == 2);
  check_same(page->tasks[1], full_task());
  CHECK(page->next == TaskId{40});
  const auto last = decode_task_page(encode(TaskPage{}));
  REQUIRE(last);
  CHECK(last->tasks.empty());
  CHECK(!last->next);
  CHECK(encode_seed(std::vector<TaskView>{}) == "[]");
  CHECK(nlohmann::json::parse(encode_seed(std::vector<TaskView>{small_task(), full_task()})).size() == 2);
}

TEST_CASE("a batch tells how many tasks have each status") {
  BatchView batch;
  batch.id = {7};
  batch.count = 10;
  batch.name = "sweep";
  batch.by_status = {1, 0, 2, 0, 3, 2, 1, 1, 0};
  batch.submitted_at = {1'744'977'600'000'000};
  const std::string text = encode(batch);
  CHECK(nlohmann::json::parse(text).at("by_status").at("killed_oom") == 1);
  CHECK(nlohmann::json::parse(text).at("failed_count") == 4);
  CHECK(nlohmann::json::parse(text).at("done") == false);
  const auto back = decode_batch_view(text);
  REQUIRE(back);
  CHECK(back->by_status == batch.by_status);
  CHECK(encode(*back) == text);
}

TEST_CASE("nodes are read back, with every reading and every NUMA node") {
  NodeView silent = full_node();
  silent.status = "offline";
  silent.health.reset();
  const auto nodes = decode_nodes(encode(std::vector<NodeView>{full_node(), silent}));
  REQUIRE_MESSAGE(nodes.has_value(), (nodes ? std::string{} : nodes.error().message));
  REQUIRE(nodes->size() == 2);
  check_same((*nodes)[0], full_node());
  check_same((*nodes)[1], silent);
}

TEST_CASE("nodes of the seed era say N/A where they are offline") {
  NodeView node = full_node();
  node.facts.millicores = 8'000;
  const auto online = nlohmann::json::parse(encode_seed(std::vector<NodeView>{node}))[0];
  CHECK(online.at("hostname") == "node1");
  CHECK(online.at("total_cores") == 8);
  CHECK(online.at("cores_in_use") == 1.25);
  CHECK(online.at("available_cores") == 6.75);
  CHECK(online.at("last_heartbeat") == "2025-04-18T12:00:00.000001+00:00");
  CHECK(online.at("numa_topology").at("0") == nlohmann::json{{"cores", {0, 1}}, {"memory_bytes", 1 << 30}});
  CHECK(online.at("numa_topology").at("2").at("memory_bytes").is_null());
  node.status = "offline";
  const auto offline = nlohmann::json::parse(encode_seed(std::vector<NodeView>{node}))[0];
  CHECK(offline.at("cores_in_use") == "N/A");
  CHECK(offline.at("available_cores") == 0);
}

TEST_CASE("health is one sample on our routes and a history on those of the seed era") {
  HealthSample sample{{full_node()}, {}};
  sample.cluster = {3, 2, 16'500, 1000, 500, 12.5, 50, 41.5, std::nullopt, {1'744'977'600'000'000}};
  const auto back = decode_health(encode(sample));
  REQUIRE_MESSAGE(back.has_value(), (back ? std::string{} : back.error().message));
  CHECK(encode(*back) == encode(sample));
  CHECK(back->cluster.average_temperature == 41.5);
  CHECK(!back->cluster.max_temperature);
  const auto history = nlohmann::json::parse(encode_seed(std::vector<HealthSample>{sample, sample}));
  CHECK(history.at("nodes").size() == 2);
  CHECK(history.at("nodes")[0][0].at("cpu_percent") == 12.5);
  CHECK(history.at("aggregate")[1].at("totalNodes") == 3);
  CHECK(history.at("aggregate")[1].at("avgCpuPercent") == 12.5);
}

TEST_CASE("errors are one line, whatever form they come in") {
  CHECK(encode_error("task '7' does not exist\n\xFF") == "{\"detail\":\"task '7' does not exist\\n\xEF\xBF\xBD\"}");
  InvalidInput errors;
  errors.add({std::string("targets"), std::size_t{2}}, "must be text, not 7");
  for (const auto& row :
       std::vector<std::pair<std::string, std::string>>{{encode_error("no such task"), "no such task"},
                                                        {errors.body(), "'targets[2]' must be text, not 7"},
                                                        {R"({"detail":[]})", "an array"},
                                                        {R"({"detail":[{"msg":"m"}]})", "m"},
                                                        {R"({"error":"x"})", R"({"error":"x"})"},
                                                        {"<html>\nx", "<html>"},
                                                        {"", ""},
                                                        {"\xFF\xFE", "an answer that is not text"}}) {
    CAPTURE(row.first);
    CHECK(decode_error(row.first) == row.second);
  }
}

TEST_CASE("answers to commands are read back") {
  CHECK(*decode_command_answer(encode(CommandAnswer{3, 4})) == CommandAnswer{3, 4});
}

TEST_CASE("what is wrong in an answer is named") {
  for (const auto& row : std::vector<std::pair<std::string, std::string>>{
           {"{}", "'task_id' is required"},
           {"[]", "the body must be an object, not an array"},
           {R"({"task_id":7,"batch_id":"x"})", "'batch_id' must be an id, not \"x\""},
           {R"({"task_id":"7","batch_id":"6","status":"done"})", "'status' must be a task's status, not 'done'"},
           {R"({"task_id":7,"batch_id":6,"status":"lost","started_at":"now"})",
            "'started_at' must be a time: 'now' is not a time such as 2025-04-18T12:00:00.123456+00:00"}}) {
    CAPTURE(row.first);
    const auto task = decode_task(row.first);
    REQUIRE(!task);
    CHECK(task.error().message == row.second);
  }
}

TEST_CASE("pretty text is the same JSON, and what is no JSON stays") {
  CHECK(pretty("{\"a\":[1]}") == "{\n  \"a\": [\n    1\n  ]\n}");
  CHECK(pretty("not json") == "not json");
}
