#include "service/runner_start.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hakuriver/numactl.hpp"
#include "hakuriver/sweep_words.hpp"
#include "service/running_runner.hpp"

using namespace hakuriver;
using service::StartBuilder;
using service::TaskWorld;

namespace {

constexpr BatchId kBatch{41};
constexpr AttemptKey kFirst{TaskId{42}, Attempt{1}};

TaskWorld a_world() {
  TaskWorld world;
  world.node = "node1";
  world.host_url = "http://10.0.0.1:8000";
  world.shared_dir = "/shared";
  world.local_temp_dir = "/scratch";
  world.environment = {{"PATH", "/opt/haku/bin:/usr/bin:/bin"}, {"HOME", "/home/ann"}};
  world.numa_nodes = {{0, {0, 1}, 0}, {1, {2, 3}, 0}};
  world.binds_numa = true;
  return world;
}

std::shared_ptr<TaskSpec> a_spec() {
  auto spec = std::make_shared<TaskSpec>();
  spec->argv = {"cat", "a b"};
  spec->resources = {500, 1024};
  return spec;
}

StartRequest build(const TaskWorld& world, const std::shared_ptr<const TaskSpec>& spec,
                   std::optional<std::uint32_t> numa = {}) {
  StartBuilder builder(world);
  const auto built = builder.build(kFirst, kBatch, numa, spec);
  REQUIRE(built);
  return **built;
}

std::string value_of(const StartRequest& request, const std::string& name) {
  std::vector<std::string> found;
  for (const auto& entry : request.environment) {
    if (entry.starts_with(name + "=")) found.push_back(entry.substr(name.size() + 1));
  }
  if (found.empty()) return "(none)";
  CHECK(found.size() == 1);
  return found.front();
}

}  // namespace

TEST_CASE("a task's environment is the node's, then --env, and its own variables stand") {
  auto spec = a_spec();
  spec->environment = {{"MODE", "a"}, {"MODE", "b"}, {"HOME", "/tmp"}, {"HAKURIVER_TASK_ID", "1"}};
  const auto request = build(a_world(), spec);
  struct Row {
    std::string name, value;
  };
  const std::vector<Row> rows{
      {"PATH", "/opt/haku/bin:/usr/bin:/bin"},
      {"HOME", "/tmp"},
      {"MODE", "b"},
      {"HAKURIVER_TASK_ID", "42"},
      {"HAKURIVER_TASK_ATTEMPT", "1"},
      {"HAKURIVER_BATCH_ID", "41"},
      {"HAKURIVER_SHARED_DIR", "/shared"},
      {"HAKURIVER_LOCAL_TEMP_DIR", "/scratch"},
      {"HAKURIVER_NODE", "node1"},
      {"HAKURIVER_HOST", "http://10.0.0.1:8000"},
      {"HAKURIVER_TARGET_NUMA_NODE", "(none)"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.name);
    CHECK(value_of(request, row.name) == row.value);
  }
  CHECK(request.environment.size() == 10);
}

TEST_CASE("limits and niceness go to the keeper with the runner's grace") {
  auto spec = a_spec();
  CHECK(build(a_world(), spec).time_limit.count() == 0);
  CHECK_FALSE(build(a_world(), spec).user);
  CHECK_FALSE(build(a_world(), spec).no_new_privileges);
  spec->time_limit = std::chrono::hours{2};
  spec->niceness = 19;
  TaskWorld world = a_world();
  world.kill_grace = std::chrono::milliseconds{1234};
  const auto request = build(world, spec);
  CHECK(request.time_limit == std::chrono::hours{2});
  CHECK(request.time_limit_grace.count() == 1234);
  CHECK(request.niceness == 19);
}

namespace {

// Offers ann, who is the runner itself, and bob.
TaskWorld a_world_with_users(std::uint32_t* bobs_uid) {
  TaskWorld world = a_world();
  world.find_identity = [bobs_uid](const std::string& name) -> Result<std::optional<service::TaskIdentity>> {
    if (name == "ann") return std::optional<service::TaskIdentity>();
    if (name != "bob") return Error{Errc::denied, "this node runs no tasks as user '" + name + "'"};
    return std::optional(service::TaskIdentity{"bob", {*bobs_uid, 101, {101, 102}}, "/home/bob", "/bin/zsh"});
  };
  return world;
}

}  // namespace

TEST_CASE("a task that runs as another has the groups and the home of that one, and no way back") {
  std::uint32_t uid = 1001;
  auto spec = a_spec();
  spec->user = "bob";
  spec->environment = {{"SHELL", "/bin/own"}};
  const auto request = build(a_world_with_users(&uid), spec);
  REQUIRE(request.user);
  CHECK(*request.user == TaskUser{1001, 101, {101, 102}});
  CHECK(request.no_new_privileges);
  CHECK(request.refusal.empty());
  CHECK(value_of(request, "HOME") == "/home/bob");
  CHECK(value_of(request, "USER") == "bob");
  CHECK(value_of(request, "LOGNAME") == "bob");
  CHECK(value_of(request, "SHELL") == "/bin/own");
}

TEST_CASE("tasks that name nobody run as the runner's user for them") {
  std::uint32_t uid = 1001;
  TaskWorld world = a_world_with_users(&uid);
  world.user = "bob";
  REQUIRE(build(world, a_spec()).user);
  CHECK(build(world, a_spec()).user->uid == 1001);
  auto spec = a_spec();
  spec->user = "ann";
  const auto request = build(world, spec);
  CHECK_FALSE(request.user);
  CHECK_FALSE(request.no_new_privileges);
  CHECK(value_of(request, "HOME") == "/home/ann");
}

TEST_CASE("a user that the node does not run tasks as is refused, durably") {
  std::uint32_t uid = 1001;
  auto spec = a_spec();
  spec->user = "eve";
  CHECK(build(a_world_with_users(&uid), spec).refusal == "this node runs no tasks as user 'eve'");
  CHECK(build(a_world(), spec).refusal == "this node runs no tasks as user 'eve'");
}

TEST_CASE("where nobody can tell of a user now, the node is to blame, and the next task gets its own request") {
  bool is_silent = true;
  TaskWorld world = a_world();
  world.find_identity = [&is_silent](const std::string& name) -> Result<std::optional<service::TaskIdentity>> {
    if (is_silent && name == "bob") return Error{Errc::unavailable, "the user database does not answer"};
    return std::optional(service::TaskIdentity{name, {1001, 101, {101}}, "/home/" + name, "/bin/sh"});
  };
  StartBuilder builder(world);
  auto anns = a_spec();
  anns->user = "ann";
  auto bobs = a_spec();
  bobs->user = "bob";
  REQUIRE(builder.build(kFirst, kBatch, {}, anns));
  for (int i = 0; i < 2; ++i) {
    const auto silent = builder.build({TaskId{52}, Attempt{1}}, BatchId{51}, {}, bobs);
    REQUIRE_FALSE(silent);
    CHECK(silent.error().message == "the user database does not answer");
  }
  CHECK(value_of(**builder.build(kFirst, kBatch, {}, anns), "HOME") == "/home/ann");
  is_silent = false;
  CHECK(value_of(**builder.build({TaskId{52}, Attempt{1}}, BatchId{51}, {}, bobs), "HOME") == "/home/bob");
}

TEST_CASE("a refusal is no longer than a keeper takes, and whole in its characters") {
  struct Row {
    std::string given, told;
  };
  const std::vector<Row> rows{
      {"no", "no"},
      {std::string("no\0more", 7), "no"},
      {std::string(kMaxRefusal, 'x'), std::string(kMaxRefusal, 'x')},
      {std::string(kMaxRefusal + 1, 'x'), std::string(kMaxRefusal - 3, 'x') + "..."},
      {std::string(kMaxRefusal - 4, 'x') + "\xE2\x82\xAC" + "yyy", std::string(kMaxRefusal - 4, 'x') + "..."},
  };
  for (const auto& row : rows) {
    CAPTURE(row.given.size());
    TaskWorld world = a_world();
    world.find_identity = [&row](const std::string&) { return Error{Errc::not_found, row.given}; };
    auto spec = a_spec();
    spec->user = "ann";
    CHECK(build(world, spec).refusal == row.told);
    world.wrap = [&row](StartRequest request, const TaskSpec&) {
      request.refusal = row.given;
      return request;
    };
    CHECK(build(world, a_spec()).refusal == row.told);
  }
}

TEST_CASE("a user who changes between two tasks of a batch is another one for the second") {
  std::uint32_t uid = 1001;
  StartBuilder builder(a_world_with_users(&uid));
  auto spec = a_spec();
  spec->user = "bob";
  CHECK((*builder.build(kFirst, kBatch, {}, spec))->user->uid == 1001);
  uid = 1002;
  CHECK((*builder.build({TaskId{43}, Attempt{1}}, kBatch, {}, spec))->user->uid == 1002);
}

TEST_CASE("a task runs where it was told to, below the shared directory unless the path is whole") {
  struct Row {
    std::string given, used;
  };
  const std::vector<Row> rows{{"", "/shared"}, {"runs/1", "/shared/runs/1"}, {"/data", "/data"}};
  for (const auto& row : rows) {
    auto spec = a_spec();
    spec->working_directory = row.given;
    CHECK(build(a_world(), spec).working_directory == row.used);
  }
}

TEST_CASE("output files are named by task, and by attempt from the second on") {
  CHECK(service::stdout_path_of("/s", kFirst) == "/s/task_outputs/42.out");
  CHECK(service::stderr_path_of("/s", kFirst) == "/s/task_errors/42.err");
  CHECK(service::stdout_path_of("/s", {TaskId{42}, Attempt{2}}) == "/s/task_outputs/42.2.out");
  CHECK(service::stderr_path_of("/s", {TaskId{42}, Attempt{11}}) == "/s/task_errors/42.11.err");
}

TEST_CASE("tasks of one batch differ in what is theirs, those of another batch in everything") {
  StartBuilder builder(a_world());
  const auto spec = a_spec();
  const StartRequest first = **builder.build(kFirst, kBatch, {}, spec);
  const StartRequest second = **builder.build({TaskId{43}, Attempt{2}}, kBatch, {}, spec);
  CHECK(second.argv == first.argv);
  CHECK(second.key == AttemptKey{TaskId{43}, Attempt{2}});
  CHECK(value_of(second, "HAKURIVER_TASK_ID") == "43");
  CHECK(value_of(second, "HAKURIVER_TASK_ATTEMPT") == "2");
  CHECK(second.stdout_path == "/shared/task_outputs/43.2.out");
  CHECK(second.environment.size() == first.environment.size());
  auto other = a_spec();
  other->argv = {"ls"};
  const StartRequest third = **builder.build({TaskId{51}, Attempt{1}}, BatchId{50}, {}, other);
  CHECK(third.argv == Argv{"ls"});
  CHECK(value_of(third, "HAKURIVER_BATCH_ID") == "50");
  CHECK(third.millicores == 500);
  CHECK(third.memory_bytes == 1024);
}

TEST_CASE("a task that belongs into a container never runs outside of one") {
  auto world = a_world();
  world.wrap = [](const StartRequest& request, const TaskSpec&) { return request; };
  auto spec = a_spec();
  spec->container = "box";
  CHECK(build(world, spec).refusal == "container 'box': this node runs no containers");
  world.contain = [](const StartRequest& request, const TaskSpec&) {
    StartRequest contained = request;
    contained.argv.insert(contained.argv.begin(), "inside");
    return contained;
  };
  CHECK(build(world, spec).refusal.empty());
  CHECK(build(world, spec).argv == Argv{"inside", "cat", "a b"});
  CHECK(build(world, a_spec()).argv == Argv{"cat", "a b"});
}

TEST_CASE("a NUMA node is bound by the keeper, by numactl, or on a synthetic machine not at all") {
  const auto spec = a_spec();
  SUBCASE("by the keeper") {
    const auto request = build(a_world(), spec, 1);
    CHECK(request.argv == Argv{"cat", "a b"});
    CHECK(request.cpus == std::vector<std::uint32_t>{2, 3});
    CHECK(request.numa_node == 1U);
    CHECK(value_of(request, "HAKURIVER_TARGET_NUMA_NODE") == "1");
  }
  SUBCASE("by numactl") {
    auto world = a_world();
    world.numactl = "/usr/bin/numactl";
    const auto request = build(world, spec, 1);
    CHECK(request.argv == Argv{"/usr/bin/numactl", "--cpunodebind=1", "--membind=1", "--", "cat", "a b"});
    CHECK(request.cpus.empty());
    CHECK(request.numa_node == 1U);
  }
  SUBCASE("by its engine, in a container") {
    auto world = a_world();
    world.numactl = "/usr/bin/numactl";
    world.contain = [](const StartRequest& request, const TaskSpec&) { return request; };
    auto contained = a_spec();
    contained->container = "box";
    const auto request = build(world, contained, 1);
    CHECK(request.argv == Argv{"cat", "a b"});
    CHECK(request.cpus == std::vector<std::uint32_t>{2, 3});
  }
  SUBCASE("not at all") {
    auto world = a_world();
    world.binds_numa = false;
    world.numactl = "/usr/bin/numactl";
    const auto request = build(world, spec, 1);
    CHECK(request.argv == Argv{"cat", "a b"});
    CHECK(request.cpus.empty());
    CHECK(request.numa_node == 1U);
  }
  SUBCASE("and no NUMA node is asked for") {
    const auto request = build(a_world(), spec);
    CHECK(request.cpus.empty());
    CHECK_FALSE(request.numa_node);
  }
}

TEST_CASE("numactl gets no command that it could not start, for it would hide why") {
  const test::ScratchDirectory scratch;
  auto world = a_world();
  world.shared_dir = scratch.path;
  world.numactl = "/usr/bin/numactl";
  std::filesystem::create_directory(scratch.path + "/directory");
  std::filesystem::copy_file("/bin/true", scratch.path + "/program");
  struct Row {
    std::string command;
    bool wrapped;
  };
  const std::vector<Row> rows{{"no-such-command", false}, {"./program", true}, {"./directory", false},
                              {"/bin/true", true},        {"/no/such", false}, {"", false}};
  for (const auto& row : rows) {
    CAPTURE(row.command);
    auto spec = a_spec();
    spec->argv = {row.command};
    const auto request = build(world, spec, 0);
    CHECK((request.argv.front() == world.numactl) == row.wrapped);
    CHECK(request.cpus.empty() == row.wrapped);
  }
}

TEST_CASE("numactl is asked for one node of CPUs and memory, and the command stays as it is") {
  CHECK(build_numactl({"a", "-b", "c d"}, 3) ==
        Argv{"numactl", "--cpunodebind=3", "--membind=3", "--", "a", "-b", "c d"});
  CHECK(build_numactl({"--x"}, 0, "/n") == Argv{"/n", "--cpunodebind=0", "--membind=0", "--", "--x"});
}

TEST_CASE("the output directories are made readable for all, whatever our umask") {
  const test::ScratchDirectory scratch;
  const mode_t before = ::umask(077);
  CHECK(service::create_output_directories(scratch.path));
  ::umask(before);
  CHECK(service::create_output_directories(scratch.path));
  for (const std::string name : {"/task_outputs", "/task_errors"}) {
    struct stat file {};
    REQUIRE(::stat((scratch.path + name).c_str(), &file) == 0);
    CHECK((file.st_mode & 0777U) == 0755U);
  }
  const auto failed = service::create_output_directories(scratch.path + "/no/such");
  REQUIRE_FALSE(failed);
  CHECK(failed.error().message.find("'" + scratch.path + "/no/such/task_outputs'") != std::string::npos);
}

TEST_CASE("a task of a sweep gets its own command and variables, and nothing of the task before") {
  const auto parsed = parse_sweep({"cat", "--lr=span:[0.1,0.2]", "span:1..3", "{#}"});
  REQUIRE(parsed);
  auto tasks = TaskSweep::make(parsed->sweep);
  REQUIRE(tasks);
  auto spec = std::make_shared<TaskSpec>();
  spec->sweep.emplace(*tasks);
  spec->environment = {{"HAKURUN_INDEX", "no"}, {"A", "b"}};
  StartBuilder builder(a_world());
  for (const auto index : std::vector<std::uint64_t>{5, 0, 2}) {
    const AttemptKey key{task_of(kBatch, index), Attempt{1}};
    const StartRequest& request = **builder.build(key, kBatch, std::nullopt, spec);
    CHECK(request.argv == parsed->sweep.at(index));
    CHECK(value_of(request, "HAKURUN_INDEX") == std::to_string(index + 1));
    CHECK(value_of(request, "HAKURUN_TOTAL") == "6");
    CHECK(value_of(request, "HAKURUN_PARAM_lr") == (index < 3 ? "0.1" : "0.2"));
    CHECK(value_of(request, "A") == "b");
    CHECK(value_of(request, "HAKURIVER_TASK_ID") == to_string(key.task));
  }
}
