// What a container's name means is settled when a submission is taken.
#include <doctest/doctest.h>

#include <filesystem>
#include <memory>
#include <string>

#include <nlohmann/json.hpp>

#include "hakuriver/host.hpp"
#include "support/scratch_directory.hpp"
#include "wire/node_messages.hpp"

using namespace hakuriver;
using nlohmann::json;

namespace {

class Silence final : public LogSink {
 public:
  void write(LogLevel, std::string_view) override {}
};

struct PinningHost {
  explicit PinningHost(std::string default_container = {}, HostOptions options = {}, bool runs_containers = true) {
    options.shared_dir = scratch.path();
    options.package_dir = scratch / "packages";
    options.default_container = std::move(default_container);
    auto opened = Host::open(std::move(options), std::make_shared<Silence>());
    REQUIRE(opened);
    host = std::move(*opened);
    REQUIRE(host->start());
    add_node(runs_containers);
  }

  // One that never asks for work.
  void add_node(bool runs_containers) const {
    Hello hello;
    hello.node = "node1";
    hello.runner_id = std::string(32, 'a');
    const auto answer = wire::decode_introduction(ask("POST", "/api/v1/node/hello", wire::encode(hello)).body);
    REQUIRE(answer);
    Registration node;
    node.node = "node1";
    node.runner_id = hello.runner_id;
    node.challenge = answer->challenge;
    node.epoch = answer->epoch;
    node.run = RunId{1};
    node.session = {std::string(32, 'b'), std::string(32, 'c')};
    node.facts.millicores = 1000;
    node.facts.numa_nodes.push_back({0, {0}, 0});
    node.facts.containers = runs_containers;
    node.facts.max_tasks = 100;
    const auto reply = ask("POST", "/api/v1/node/register", wire::encode(node));
    REQUIRE_MESSAGE(reply.status == 200, reply.body);
  }

  HttpReply ask(const std::string& method, const std::string& path, const std::string& body = {},
                const std::string& key = {}) const {
    HttpRequest request;
    request.method = method;
    request.path = path;
    request.body = body;
    request.headers = {{"content-type", "application/json"}};
    if (!key.empty()) request.headers.emplace("idempotency-key", key);
    auto reply = host->connect()()->call(request, std::chrono::seconds{60});
    REQUIRE(reply);
    return *reply;
  }
  void package(std::uint64_t version) const {
    scratch.write("packages/box-" + std::to_string(version) + ".tar", "x");
    scratch.write("packages/box.current", std::to_string(version) + "\n");
  }
  // The container and the version of the task that was submitted.
  std::string submit(const std::string& body, const std::string& key = {}) const {
    const auto reply = ask("POST", "/submit", body, key);
    REQUIRE_MESSAGE(reply.status == 202, reply.body);
    const std::string id = json::parse(reply.body).at("task_ids").at(0);
    const auto task = json::parse(ask("GET", "/status/" + id).body);
    return id + " " + task.at("container_name").dump() + " " + task.at("container_version").dump();
  }

  test::ScratchDirectory scratch;
  std::unique_ptr<Host> host;
};

constexpr const char* kBox = R"({"command":"x","container_name":"box"})";

std::string without_id(const std::string& text) { return text.substr(text.find(' ') + 1); }

TEST_CASE("a submission gets the version that is current when it is taken") {
  const PinningHost host;
  CHECK(without_id(host.submit(kBox)) == R"("box" null)");
  host.package(7);
  CHECK(without_id(host.submit(kBox)) == R"("box" 7)");
  host.package(9);
  CHECK(without_id(host.submit(kBox)) == R"("box" 9)");
  CHECK(without_id(host.submit(R"({"command":"x","container_name":"box@7"})")) == R"("box" 7)");
  CHECK(without_id(host.submit(R"({"command":"x","container_name":"box:9"})")) == R"("box:9" null)");
  CHECK(without_id(host.submit(R"({"command":"x"})")) == "null null");
}

TEST_CASE("what the host chose is pinned as well") {
  const PinningHost host("box");
  host.package(7);
  CHECK(without_id(host.submit(R"({"command":"x"})")) == R"("box" 7)");
}

TEST_CASE("a submission that is made again is the same one, whatever is current by then") {
  const PinningHost host;
  host.package(7);
  const auto first = host.submit(kBox, "once");
  host.package(9);
  CHECK(host.submit(kBox, "once") == first);
}

TEST_CASE("a submission that is made again is the same one, though its version is gone by then") {
  const PinningHost host;
  host.package(7);
  const std::string named = R"({"command":"x","container_name":"box@7"})";
  const auto first = host.submit(named, "once");
  std::filesystem::remove(host.scratch / "packages/box-7.tar");
  CHECK(host.submit(named, "once") == first);
  CHECK(host.ask("POST", "/submit", named, "twice").status == 404);
}

TEST_CASE("a version that is not there is refused in one line") {
  const PinningHost host;
  host.package(7);
  for (const auto& [container, status] : {std::pair{"box@8", 404}, std::pair{"box@x", 422}, std::pair{"other@7", 404},
                                          std::pair{"No-Name", 422}, std::pair{"../x:y", 422}}) {
    const auto reply = host.ask("POST", "/submit", json{{"command", "x"}, {"container_name", container}}.dump());
    CHECK(reply.status == status);
    CHECK(reply.body.find(container) != std::string::npos);
    CHECK(reply.body.find('\n') == std::string::npos);
  }
}

TEST_CASE("a submission has of a container what the host allows, and is told the key that says so") {
  HostOptions options;
  options.allow_privileged = false;
  options.allow_mounts = {"/srv/", "/data"};
  const PinningHost host({}, options);
  struct Row {
    std::string body;
    std::string refusal;  // empty: none
  };
  const std::string box = R"({"argv":["x"],"container":"box:9",)";
  for (const auto& row : std::vector<Row>{{box + R"("mounts":["/srv/x:/x","/srv:/y","/data:/z:ro"]})", ""},
                                          {box + R"("privileged":false})", ""},
                                          {box + R"("mounts":["/srv/x:/x","/etc:/y"]})", "allow_mounts"},
                                          {box + R"("mounts":["/srvx:/x"]})", "allow_mounts"},
                                          {box + R"("mounts":["/data/../etc:/x"]})", "allow_mounts"},
                                          {box + R"("mounts":["/data/..:/x"]})", "allow_mounts"},
                                          {box + R"("mounts":["/data:/x:RO"]})", "with :ro"},
                                          {box + R"("privileged":true})", "allow_privileged"},
                                          {R"({"argv":["x"],"mounts":["/data:/x"]})", "only a container has that"},
                                          {R"({"argv":["x"],"privileged":true})", "only a container has that"}}) {
    CAPTURE(row.body);
    const auto reply = host.ask("POST", "/api/v1/batches", row.body);
    const int refused = row.refusal.starts_with("allow_") ? 403 : 422;
    CHECK_MESSAGE(reply.status == (row.refusal.empty() ? 202 : refused), reply.body);
    CHECK(reply.body.find(row.refusal) != std::string::npos);
  }
}

TEST_CASE("what the host's own file gives to containers is allowed by that, and nothing to a task without one") {
  HostOptions options;
  options.allow_privileged = false;
  options.allow_mounts = std::vector<std::string>{};
  options.default_mounts = {"/data:/data"};
  options.default_privileged = true;
  const PinningHost host({}, options);
  CHECK(host.ask("POST", "/api/v1/batches", R"({"argv":["x"],"container":"box:9"})").status == 202);
  CHECK(host.ask("POST", "/api/v1/batches", R"({"argv":["x"]})").status == 202);
}

TEST_CASE("a host does not start with what no submission could have") {
  struct Row {
    void (*set)(HostOptions&);
    std::string expected;  // empty: it starts
  };
  const std::vector<Row> rows{
      {[](HostOptions& it) { it.default_container = "My/Env"; }, "default_container_name: container 'My/Env'"},
      {[](HostOptions& it) { it.default_container = "box@x"; }, "default_container_name: container 'box@x'"},
      {[](HostOptions& it) { it.default_container = "null_"; }, "default_container_name: container 'null_'"},
      {[](HostOptions& it) {
         it.default_mounts = {"/a:/b", "a:/b"};
       },
       "additional_mounts: 'a:/b'"},
      {[](HostOptions& it) {
         it.allow_mounts = {"/a", "b"};
       },
       "allow_mounts: 'b'"},
      {[](HostOptions& it) { it.default_container = "box@9"; }, ""},
      {[](HostOptions& it) { it.default_container = "NULL"; }, ""}};
  for (const auto& row : rows) {
    HostOptions options;
    options.listen.clear();
    row.set(options);
    const auto host = Host::open(std::move(options), std::make_shared<Silence>());
    CAPTURE(row.expected);
    CHECK(host.has_value() == row.expected.empty());
    if (!host) CHECK_MESSAGE(host.error().message.starts_with(row.expected), host.error().message);
  }
}

TEST_CASE("a default container NULL is the node itself") {
  const PinningHost host("NULL", {}, false);
  CHECK(without_id(host.submit(R"({"command":"x"})")) == "null null");
}

TEST_CASE("only a container that nobody asked for is done without where no node runs any") {
  const PinningHost host("box:9", {}, false);
  CHECK(without_id(host.submit(R"({"command":"x"})")) == "null null");
  for (const std::string wanted : {R"("container":"box:9")", R"("mounts":["/data:/x"])", R"("privileged":true)"}) {
    CAPTURE(wanted);
    const auto reply = host.ask("POST", "/api/v1/batches", R"({"argv":["x"],)" + wanted + "}");
    CHECK_MESSAGE(reply.status == 503, reply.body);
  }
}

}  // namespace
