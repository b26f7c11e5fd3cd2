#include <doctest/doctest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cli/client.hpp"
#include "cli/scripted_host.hpp"
#include "support/scratch_directory.hpp"
#include "wire/people.hpp"
#include "wire/submission.hpp"

namespace hakuriver::cli {
namespace {

using test::ScratchDirectory;
using test::ScriptedHost;
using Words = std::vector<std::string>;

struct Run {
  int exit = 0;
  std::string out;
  std::string err;
};

class Cluster {
 public:
  Run client(Words words) const {
    std::ostringstream out;
    std::ostringstream err;
    const int exit = client_program(words, {"HOME=" + home.path(), "HAKURIVER_HOST=" + host.url()}, {out, err});
    return {exit, out.str(), err.str()};
  }

  void write_token(const std::string& token) const {
    REQUIRE(::chmod(home.write(".hakuriver/token", token + "\n").c_str(), 0600) == 0);
  }

  ScratchDirectory home;
  ScriptedHost host;
};

TaskView task(std::uint64_t id, TaskStatus status, std::optional<Outcome> outcome = std::nullopt) {
  TaskView view;
  view.id = TaskId{id};
  view.batch = BatchId{id - 1};
  view.status = status;
  view.outcome = outcome;
  view.node = "node1";
  TaskSpec spec;
  spec.argv = {"python", "train.py"};
  view.spec = std::make_shared<TaskSpec>(std::move(spec));
  return view;
}

HttpReply accepted(std::uint64_t batch, std::uint64_t count, std::vector<FailedTarget> failed = {}) {
  return {.status = 202, .body = wire::encode_submit_answer({BatchId{batch}, count, std::move(failed)})};
}

HttpReply busy() { return {.status = 503, .body = wire::encode_error("stopping")}; }

int lines_of(const std::string& text) {
  int lines = 0;
  for (const char c : text) lines += c == '\n' ? 1 : 0;
  return lines;
}

TEST_CASE("a submission prints the ids, one per line, and nothing else") {
  Cluster cluster;
  cluster.host.answer("POST /api/v1/batches", {accepted(100, 2)});
  const auto run = cluster.client({"--target", "node1", "--target", "node2", "--", "echo", "--wait", "\xff"});
  CHECK(run.exit == 0);
  CHECK(run.out == "101\n102\n");
  CHECK(run.err.empty());
  REQUIRE(cluster.host.seen().size() == 1);
  const auto request = cluster.host.seen().front();
  const auto sent = wire::decode_batch(request.body);
  const auto* batch = std::get_if<SubmitRequest>(&sent);
  REQUIRE(batch != nullptr);
  CHECK(batch->spec.argv == Argv{"echo", "--wait", "\xff"});
  CHECK(batch->targets.size() == 2);
  CHECK(batch->default_container);
  CHECK(request.headers.at("idempotency-key") == batch->submission_id);
  CHECK(batch->submission_id.size() == 32);
}

TEST_CASE("a host that is busy is asked again with the same submission id") {
  Cluster cluster;
  cluster.host.answer("POST /api/v1/batches", {busy(), busy(), accepted(100, 1)});
  const auto run = cluster.client({"true"});
  CHECK(run.exit == 0);
  CHECK(run.out == "101\n");
  CHECK(lines_of(run.err) == 1);
  const auto seen = cluster.host.seen();
  REQUIRE(seen.size() == 3);
  CHECK(seen[0].headers.at("idempotency-key") == seen[2].headers.at("idempotency-key"));
  CHECK(seen[0].body == seen[2].body);
}

TEST_CASE("targets that were refused have a line each, and do no harm if another was taken") {
  Cluster cluster;
  cluster.host.answer("POST /api/v1/batches", {accepted(100, 1, {{"node9", "there is no node 'node9'"}})});
  const auto run = cluster.client({"--target", "node1", "--target", "node9", "true"});
  CHECK(run.exit == 0);
  CHECK(run.out == "101\n");
  CHECK(run.err == "hakuriver.client: node9: there is no node 'node9'\n");
}

TEST_CASE("a submission that every target refused is told at once") {
  Cluster cluster;
  cluster.host.answer(
      "POST /api/v1/batches",
      {{.status = 503, .body = wire::encode_refused_submission("refused", {{"a", "offline"}, {"b", "x"}})}});
  const auto run = cluster.client({"--target", "a", "--target", "b", "true"});
  CHECK(run.exit == 1);
  CHECK(run.out.empty());
  CHECK(run.err == "hakuriver.client: a: offline\nhakuriver.client: b: x\n");
  CHECK(cluster.host.seen().size() == 1);
}

TEST_CASE("an error of the host has one line and its exit status") {
  struct Row {
    int status;
    int exit;
  };
  for (const auto& row : {Row{404, 3}, Row{401, 4}, Row{403, 4}, Row{409, 4}, Row{422, 2}, Row{500, 1}, Row{503, 5}}) {
    CAPTURE(row.status);
    Cluster cluster;
    cluster.write_token(std::string(64, 'a'));
    cluster.host.answer("POST /api/v1/tasks/7/kill",
                        {{.status = row.status, .body = wire::encode_error("because\nof this")}});
    const auto run = cluster.client({"--kill", "7"});
    CHECK(run.exit == row.exit);
    CHECK(run.out.empty());
    CHECK(run.err.starts_with("hakuriver.client: because\\nof this"));
    CHECK(lines_of(run.err) == 1);
  }
}

TEST_CASE("waiting for one task passes on its own exit status") {
  struct Row {
    TaskStatus status;
    Outcome outcome;
    int exit;
  };
  for (const auto& row :
       {Row{TaskStatus::completed, {OutcomeKind::exited, 0}, 0}, Row{TaskStatus::failed, {OutcomeKind::exited, 3}, 3},
        Row{TaskStatus::killed, {OutcomeKind::signaled, 9}, 137}}) {
    CAPTURE(row.exit);
    Cluster cluster;
    cluster.host.answer("POST /api/v1/batches", {accepted(100, 1)});
    cluster.host.answer("GET /api/v1/tasks/101", {{.body = wire::encode(task(101, TaskStatus::running))},
                                                  {.body = wire::encode(task(101, row.status, row.outcome))}});
    const auto run = cluster.client({"--wait", "true"});
    CHECK(run.exit == row.exit);
    CHECK(run.out == "101\n");
    CHECK(run.err.empty() == (row.exit == 0));
  }
}

TEST_CASE("waiting tells once that the host is away, and that a task is lost") {
  Cluster cluster;
  cluster.host.answer("GET /api/v1/tasks/101",
                      {busy(),
                       busy(),
                       busy(),
                       {.body = wire::encode(task(101, TaskStatus::lost))},
                       {.body = wire::encode(task(101, TaskStatus::lost))},
                       {.body = wire::encode(task(101, TaskStatus::running))},
                       {.body = wire::encode(task(101, TaskStatus::completed, Outcome{OutcomeKind::exited, 0}))}});
  const auto run = cluster.client({"--wait-for", "101"});
  CHECK(run.exit == 0);
  CHECK(lines_of(run.err) == 3);
  CHECK(run.err.find("waiting for it to come back") != std::string::npos);
  CHECK(run.err.find("task 101 is lost: node 'node1' is silent") != std::string::npos);
  CHECK(run.err.find("task 101 is back") != std::string::npos);
}

TEST_CASE("waiting for a batch is good only if all its tasks are") {
  Cluster cluster;
  BatchView batch;
  batch.id = BatchId{100};
  batch.count = 2;
  batch.by_status[static_cast<std::size_t>(TaskStatus::completed)] = 1;
  batch.by_status[static_cast<std::size_t>(TaskStatus::failed)] = 1;
  cluster.host.answer("GET /api/v1/batches/100", wire::encode(batch));
  TaskPage page;
  page.tasks.push_back(task(102, TaskStatus::failed, Outcome{OutcomeKind::exited, 3}));
  cluster.host.answer("GET /api/v1/tasks", wire::encode(page));
  const auto run = cluster.client({"--wait-for", "100"});
  CHECK(run.exit == 1);
  CHECK(run.err.find("1 of 2 tasks did not succeed") != std::string::npos);
  CHECK(run.err.find("task 102 failed: exit code 3") != std::string::npos);
  CHECK(cluster.client({"--wait-for", "5"}).exit == 3);
}

// Keeps a signal from every thread that is started while it lives, as in a program that waits for it.
class Held {
 public:
  explicit Held(int number) {
    sigset_t signals;
    ::sigemptyset(&signals);
    ::sigaddset(&signals, number);
    ::pthread_sigmask(SIG_BLOCK, &signals, &before_);
  }
  ~Held() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

 private:
  sigset_t before_{};
};

TEST_CASE("Ctrl-C ends the waiting and names the task, which goes on") {
  const Held held(SIGINT);
  Cluster cluster;
  cluster.host.answer("GET /api/v1/tasks/101", wire::encode(task(101, TaskStatus::running)));
  std::thread keyboard([&] {
    while (cluster.host.seen().empty()) std::this_thread::yield();
    ::kill(::getpid(), SIGINT);
  });
  const auto run = cluster.client({"--wait-for", "101"});
  keyboard.join();
  CHECK(run.exit == 130);
  CHECK(run.err.find("101 goes on") != std::string::npos);
  CHECK(lines_of(run.err) == 1);
  for (const auto& request : cluster.host.seen()) CHECK(request.method == "GET");
}

HttpReply output(std::string body, std::uint64_t offset, std::uint64_t size) {
  return {.body = std::move(body),
          .content_type = "application/octet-stream",
          .headers = {{"X-Output-Size", std::to_string(size)}, {"X-Output-Offset", std::to_string(offset)}}};
}

std::string offset_asked(const HttpRequest& request) {
  for (const auto& [name, value] : request.query) {
    if (name == "offset") return value;
  }
  return {};
}

TEST_CASE("output comes byte for byte, a long one in several parts") {
  Cluster cluster;
  const std::string bytes("a\0b\n\xff\r\n", 7);
  cluster.host.answer("GET /api/v1/tasks/7/stdout", {output(bytes, 0, 10), output("end", 7, 12), output("?", 0, 1)});
  cluster.host.answer("GET /api/v1/tasks/7/stderr", {output("e\n", 0, 2)});
  const auto run = cluster.client({"--stdout", "7"});
  CHECK(run.exit == 0);
  CHECK(run.out == bytes + "end");
  CHECK(offset_asked(cluster.host.seen().back()) == "7");
  CHECK(cluster.client({"--stderr", "7"}).out == "e\n");
  CHECK(cluster.client({"--stdout", "8"}).exit == 3);
}

TEST_CASE("--follow goes on until the task has ended and all of its output came, whatever ends a stream") {
  Cluster cluster;
  auto ended = task(7, TaskStatus::completed, Outcome{OutcomeKind::exited, 0});
  ended.stdout_bytes = 8;
  cluster.host.answer("GET /api/v1/tasks/7/stdout",
                      {output("b\n", 2, 4), output("c\n", 4, 6), busy(), output("d\n", 6, 8)});
  cluster.host.answer("GET /api/v1/tasks/7",
                      {{.body = wire::encode(task(7, TaskStatus::running))}, {.body = wire::encode(ended)}});
  const auto run = cluster.client({"--stdout", "7", "--follow", "--tail", "1"});
  CHECK(run.exit == 0);
  CHECK(run.out == "b\nc\nd\n");
  CHECK(lines_of(run.err) == 1);
  std::vector<std::string> offsets;
  for (const auto& request : cluster.host.seen()) {
    if (request.path == "/api/v1/tasks/7/stdout") offsets.push_back(offset_asked(request));
  }
  CHECK(offsets == std::vector<std::string>{"", "4", "6", "6"});
}

TEST_CASE("status is of a task or of a batch, for people or as JSON") {
  Cluster cluster;
  const std::string body = wire::encode(task(101, TaskStatus::failed, Outcome{OutcomeKind::exited, 3}));
  BatchView batch;
  batch.id = BatchId{100};
  batch.count = 5;
  cluster.host.answer("GET /api/v1/tasks/101", body);
  cluster.host.answer("GET /api/v1/batches/100", wire::encode(batch));
  const auto page = cluster.client({"--status", "101"});
  CHECK(page.exit == 0);
  CHECK(page.out.find("failed: exit code 3") != std::string::npos);
  CHECK(page.out.find("python train.py") != std::string::npos);
  CHECK(cluster.client({"--status", "101", "--output", "json"}).out == wire::pretty(body) + "\n");
  CHECK(cluster.client({"--status", "100"}).out.find("Tasks:       5") != std::string::npos);
  const auto unknown = cluster.client({"--status", "5"});
  CHECK(unknown.exit == 3);
  CHECK(unknown.out.empty());
  CHECK(lines_of(unknown.err) == 1);
}

TEST_CASE("lists ask the host with their filters") {
  Cluster cluster;
  TaskPage page;
  page.tasks.push_back(task(101, TaskStatus::running));
  page.next = TaskId{101};
  cluster.host.answer("GET /api/v1/tasks", wire::encode(page));
  const auto run =
      cluster.client({"--list-tasks", "--name", "a b&c", "--state", "running", "--batch", "9", "--node", "n"});
  CHECK(run.exit == 0);
  CHECK(run.out.find("101") != std::string::npos);
  CHECK(run.err.find("--before 101") != std::string::npos);
  const auto query = cluster.host.seen().front().query;
  const std::vector<std::pair<std::string, std::string>> expected{
      {"limit", "100"}, {"state", "running"}, {"node", "n"}, {"name", "a b&c"}, {"batch", "9"}};
  CHECK(query == expected);
}

TEST_CASE("nodes are listed with their NUMA summary, and an empty cluster says what to do") {
  Cluster cluster;
  NodeView node;
  node.name = "node1";
  node.status = "online";
  node.facts.millicores = 4000;
  node.facts.numa_nodes = {{0, {0, 1}, 0}, {1, {2, 3}, 0}};
  cluster.host.answer("GET /api/v1/nodes", {{.body = wire::encode(std::vector<NodeView>{node})},
                                            {.body = wire::encode(std::vector<NodeView>{})}});
  const auto table = cluster.client({"--list-nodes"});
  CHECK(table.out.find("node1  online") != std::string::npos);
  CHECK(table.out.find("2 (0: 2 cores,") != std::string::npos);
  CHECK(table.out.find("nothing\n") != std::string::npos);  // is enforced there
  CHECK(cluster.client({"--list-nodes"}).err.find("hakuriver.runner") != std::string::npos);
}

TEST_CASE("a host that is not there has exit status 5 and one line with its address") {
  std::string url;
  {
    const ScriptedHost gone;
    url = gone.url();
  }
  const ScratchDirectory home;
  std::ostringstream out;
  std::ostringstream err;
  const Words words{"--host", url, "--list-nodes"};
  CHECK(client_program(words, {"HOME=" + home.path()}, {out, err}) == 5);
  CHECK(out.str().empty());
  CHECK(err.str().find(url) != std::string::npos);
  CHECK(lines_of(err.str()) == 1);
}

TEST_CASE("a configuration that is missing or wrong has exit status 2 and one line that names it") {
  const Cluster cluster;
  const auto missing = cluster.client({"--config", cluster.home / "none.toml", "--list-nodes"});
  CHECK(missing.exit == 2);
  CHECK(missing.err.find("none.toml") != std::string::npos);
  CHECK(lines_of(missing.err) == 1);
  const auto wrong =
      cluster.client({"--config", cluster.home.write("bad.toml", "[network]\nhost_prt = 1\n"), "--list-nodes"});
  CHECK(wrong.exit == 2);
  CHECK(wrong.err.find("bad.toml:2") != std::string::npos);
  CHECK(lines_of(wrong.err) == 1);
}

TEST_CASE("a client that is refused for want of a token says which file it looked for") {
  Cluster cluster;
  cluster.host.answer("GET /api/v1/nodes", {{.status = 401, .body = wire::encode_error("a bearer token is required")}});
  const auto run = cluster.client({"--list-nodes"});
  CHECK(run.exit == 4);
  CHECK(run.err == "hakuriver.client: a bearer token is required, and there is no token file '" + cluster.home.path() +
                       "/.hakuriver/token'\n");
}

TEST_CASE("a client whose token is refused says which file it is from") {
  Cluster cluster;
  cluster.write_token(std::string(64, 'a'));
  cluster.host.answer("GET /api/v1/nodes", {{.status = 401, .body = wire::encode_error("the bearer token is wrong")}});
  const auto run = cluster.client({"--list-nodes"});
  CHECK(run.exit == 4);
  CHECK(run.err == "hakuriver.client: the bearer token is wrong; the token here is that of '" + cluster.home.path() +
                       "/.hakuriver/token'\n");
}

TEST_CASE("the token of the configuration goes along") {
  Cluster cluster;
  cluster.host.answer("GET /api/v1/nodes", wire::encode(std::vector<NodeView>{}));
  const std::string token(64, 'a');
  cluster.write_token(token);
  CHECK(cluster.client({"--list-nodes"}).exit == 0);
  CHECK(cluster.host.seen().front().headers.at("authorization") == "Bearer " + token);
}

}  // namespace
}  // namespace hakuriver::cli
