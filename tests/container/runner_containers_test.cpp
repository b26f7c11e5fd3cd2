#include "doors/runner_containers.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>

#include "container/engine.hpp"
#include "container/options.hpp"
#include "container/program.hpp"
#include "platform/identity.hpp"
#include "support/scratch_directory.hpp"

using namespace hakuriver;
using namespace hakuriver::doors;

namespace {

Containers node() {
  Containers containers;
  containers.program = "/libexec/hakuriver-container";
  containers.init = "/libexec/hakuriver-container-init";
  containers.socket = "/s";
  containers.directory = "/state";
  containers.runner_id = "a";
  containers.shared_dir = "/srv/shared";
  containers.local_temp_dir = "/tmp/local";
  return containers;
}

StartRequest request() {
  StartRequest request;
  request.key = {TaskId{7}, Attempt{1}};
  request.argv = {"true"};
  request.working_directory = "/srv/shared";
  return request;
}

TaskSpec spec() {
  TaskSpec spec;
  spec.container = "box";
  return spec;
}

TEST_CASE("a task's variables are nothing to the program that asks for its container") {
  auto asked = request();
  asked.environment = {"LD_PRELOAD=/evil.so", "HAKURIVER_TASK_ID=7", "PATH=/node"};
  auto environment = wrap_in_container(node(), asked, spec()).environment;
  // And the runner's own, for a client program.
  std::erase_if(environment, [](const std::string& entry) {
    const auto& own = container::kClientVariables;
    return std::find(std::begin(own), std::end(own), entry.substr(0, entry.find('='))) != std::end(own);
  });
  CHECK(environment == std::vector<std::string>{"@LD_PRELOAD=/evil.so", "@HAKURIVER_TASK_ID=7"});
}

container::Options options_of(const StartRequest& wrapped) {
  const auto options = container::parse_options(Argv(wrapped.argv.begin() + 1, wrapped.argv.end()));
  REQUIRE(options);
  return *options;
}

TEST_CASE("mounts that a task may have below some directories only are marked, and the node's own are not") {
  auto here = node();
  auto wanted = spec();
  wanted.mounts = {"/data/x:/x:ro", "/srv/own:/own"};
  CHECK(options_of(wrap_in_container(here, request(), wanted)).limited_mounts.empty());

  here.allow_mounts = {"/data", "/more"};
  here.additional_mounts = {"/srv/own:/own"};
  const auto options = options_of(wrap_in_container(here, request(), wanted));
  CHECK(options.limited_mounts == std::vector<Mount>{{"/data/x", "/x", true}});
  CHECK(options.allow_mounts == std::vector<std::string>{"/data", "/more"});
  CHECK(options.container.mounts == std::vector<Mount>{{"/srv/shared", "/srv/shared"},
                                                       {"/srv/shared/shared_data", "/shared"},
                                                       {"/tmp/local", "/local_temp"},
                                                       {"/srv/own", "/own"}});
  wanted.mounts = {"/data/../etc:/x"};
  CHECK(wrap_in_container(here, request(), wanted).refusal.find("allow_mounts") != std::string::npos);
}

TEST_CASE("what a task may have and what it is held to goes into its container") {
  auto asked = request();
  asked.key.attempt = Attempt{2};
  asked.user = TaskUser{1000, 1001, {20}};
  asked.no_new_privileges = true;
  asked.niceness = 3;
  asked.millicores = 1500;
  asked.memory_bytes = 4096;
  asked.cpus = {2, 3};
  asked.numa_node = 1;
  asked.working_directory = "/srv/shared/shared_data/a";
  auto wanted = spec();
  wanted.private_network = true;
  wanted.mounts = {"/srv:/all", "/own:/local_temp:ro"};
  const auto wrapped = wrap_in_container(node(), asked, wanted);
  const auto options = options_of(wrapped);
  CHECK(options.name == "hakuriver-task-7.2");
  CHECK(options.owner == "a/7/2");
  CHECK(options.state == "/state/hakuriver-task-7.2");
  CHECK(options.niceness == 3);
  CHECK(options.container.user == "1000:1001");
  CHECK(options.container.no_new_privileges);
  CHECK(options.container.network == "none");
  CHECK(options.container.millicores == 1500);
  CHECK(options.container.memory_bytes == 4096);
  CHECK(options.container.cpus == std::vector<std::uint32_t>{2, 3});
  CHECK(options.container.memory_node == 1U);
  CHECK(options.container.mounts == std::vector<Mount>{{"/srv/shared", "/srv/shared"},
                                                       {"/srv/shared/shared_data", "/shared"},
                                                       {"/srv", "/all"},
                                                       {"/own", "/local_temp", true}});
  // By the mount that fits best.
  CHECK(options.container.working_directory == "/shared/a");
  // The program that asks for it is the runner's own.
  CHECK_FALSE(wrapped.user);
  CHECK_FALSE(wrapped.no_new_privileges);
  CHECK(wrapped.working_directory == "/");
  CHECK(wrapped.cpus.empty());
  // And nothing is held that was not asked for.
  const auto plain = options_of(wrap_in_container(node(), request(), spec()));
  CHECK(plain.container.network == "host");
  CHECK_FALSE(plain.container.no_new_privileges);
  CHECK_FALSE(plain.container.memory_node);
}

TEST_CASE("a task has the rights of root in its container where the node lets it only") {
  auto wanted = spec();
  wanted.privileged = true;
  CHECK(options_of(wrap_in_container(node(), request(), wanted)).container.privileged);
  auto here = node();
  here.allow_privileged = false;
  const auto refused = wrap_in_container(here, request(), wanted);
  CHECK(refused.refusal == "privileged containers are not allowed here: [docker] allow_privileged");
  CHECK(refused.argv == request().argv);
}

TEST_CASE("the directory that all containers share is a directory") {
  const test::ScratchDirectory scratch;
  auto here = node();
  here.shared_dir = scratch.path();
  CHECK(prepare_shared_data(here));
  CHECK(prepare_shared_data(here));
  const std::string path = scratch / "shared_data";
  CHECK(std::filesystem::status(path).permissions() == static_cast<std::filesystem::perms>(01777));
  std::filesystem::remove(path);
  std::filesystem::create_directory_symlink("/etc", path);
  CHECK(prepare_shared_data(here).error().message == "'" + path + "' is a link or a file: expected a directory");
}

TEST_CASE("a task that names no user has the runner's groups, too") {
  const auto options = options_of(wrap_in_container(node(), request(), spec()));
  CHECK(options.container.groups == platform::own_groups());
  auto other = request();
  other.user = TaskUser{1000, 1001, {20}};
  CHECK(options_of(wrap_in_container(node(), other, spec())).container.groups == std::vector<std::uint32_t>{20});
}

TEST_CASE("the program gives the container the task's variables only") {
  const char* const environment[] = {"@LD_PRELOAD=/own.so",
                                     "HOME=/root",
                                     "@HAKURIVER_TASK_ID=8",
                                     "HAKURIVER_TASK_ID=7",
                                     "HAKURIVER_TASK_ATTEMPT=2",
                                     "@A=@b",
                                     nullptr};
  CHECK(container::task_environment(const_cast<char* const*>(environment)) ==
        std::vector<std::string>{"LD_PRELOAD=/own.so", "HAKURIVER_TASK_ID=7", "HAKURIVER_TASK_ATTEMPT=2", "A=@b"});
}

bool has_words(const Argv& argv, const std::string& option, const std::string& value) {
  const auto at = std::find(argv.begin(), argv.end(), option);
  return at != argv.end() && *(at + 1) == value;
}

TEST_CASE("a pinned environment is the image of its package, which may be fetched") {
  auto containers = node();
  containers.package_dir = "/srv/shared/packages";
  auto pinned = spec();
  pinned.container = "box@7";
  const auto wrapped = wrap_in_container(containers, request(), pinned);
  CHECK(has_words(wrapped.argv, "--image", "hakuriver/box:7"));
  CHECK(has_words(wrapped.argv, "--package", "box@7"));
  CHECK(has_words(wrapped.argv, "--packages", "/srv/shared/packages"));
  CHECK(has_words(wrapped.argv, "--locks", "/state/images"));
  CHECK_FALSE(has_words(wrapped.argv, "--login-client", "/usr/bin/docker"));
  containers.login_client = "/usr/bin/docker";
  containers.keep_versions = 3;
  const auto plain = wrap_in_container(containers, request(), spec());
  CHECK(has_words(plain.argv, "--login-client", "/usr/bin/docker"));
  CHECK(has_words(plain.argv, "--keep-versions", "3"));
  CHECK(has_words(plain.argv, "--image", "hakuriver/box:base"));
  CHECK(std::find(plain.argv.begin(), plain.argv.end(), "--package") == plain.argv.end());
}

}  // namespace
