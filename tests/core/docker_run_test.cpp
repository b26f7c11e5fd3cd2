#include "hakuriver/docker_run.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace hakuriver {
namespace {

Container task() { return {.name = "hakuriver-task-7", .image = "hakuriver/my-env:base"}; }

TEST_CASE("a plain container is named, has an init, pulls nothing and keeps no log") {
  CHECK(build_docker_create({}, task(), {"python", "a b; rm -rf /.py", ""}) ==
        Argv{"docker", "create", "--name=hakuriver-task-7", "--init", "--network=host", "--cap-add=SYS_NICE",
             "--ulimit=core=0", "--pull=never", "--log-driver=none", "hakuriver/my-env:base", "python",
             "a b; rm -rf /.py", ""});
}

TEST_CASE("a client program is told which daemon, and podman that there is one") {
  CHECK(client_words({}) == Argv{"docker"});
  CHECK(client_words({"/usr/bin/docker", {"sudo"}, "unix:///s"}) ==
        Argv{"sudo", "/usr/bin/docker", "--host=unix:///s"});
  CHECK(client_words({"podman", {}, "unix:///s"}) == Argv{"podman", "--remote", "--url=unix:///s"});
  CHECK(client_words({"podman", {}, ""}) == Argv{"podman"});
}

TEST_CASE("everything that a container may have, in order") {
  Container container = task();
  container.labels = {{"hakuriver.task", "7"}, {"hakuriver.attempt", "1"}};
  container.user = "1000:1001";
  container.groups = {20, 44};
  container.working_directory = "/srv/shared";
  container.network = "none";
  container.millicores = 1500;
  container.memory_bytes = std::uint64_t{8} << 30;
  container.cpus = {0, 1, 2, 3, 8};
  container.memory_node = 1;
  container.mounts = {{"/srv/shared", "/srv/shared"}, {"/data", "/container/data", true}};
  container.variables = {"MODEL", "HAKURIVER_TASK_ID"};
  container.variable_file = "/run/x/variables";
  container.entrypoint = "/.hakuriver/init";
  container.no_new_privileges = true;
  const DockerClient client{"/usr/bin/podman", {"sudo", "-n"}, "unix:///run/podman.sock"};
  CHECK(build_docker_create(client, container, {"--", "true"}) ==
        Argv{"sudo",
             "-n",
             "/usr/bin/podman",
             "--remote",
             "--url=unix:///run/podman.sock",
             "create",
             "--name=hakuriver-task-7",
             "--label=hakuriver.task=7",
             "--label=hakuriver.attempt=1",
             "--init",
             "--network=none",
             "--cap-add=SYS_NICE",
             "--security-opt=no-new-privileges",
             "--user=1000:1001",
             "--group-add=20",
             "--group-add=44",
             "--cpus=1.5",
             "--memory=8589934592b",
             "--memory-swap=8589934592b",
             "--cpuset-cpus=0-3,8",
             "--cpuset-mems=1",
             "--workdir=/srv/shared",
             "--mount",
             "type=bind,source=/srv/shared,target=/srv/shared",
             "--mount",
             "type=bind,source=/data,target=/container/data,readonly",
             "--env",
             "MODEL",
             "--env",
             "HAKURIVER_TASK_ID",
             "--env-file=/run/x/variables",
             "--ulimit=core=0",
             "--pull=never",
             "--log-driver=none",
             "--entrypoint=/.hakuriver/init",
             "hakuriver/my-env:base",
             "--",
             "true"});
}

TEST_CASE("a privileged container needs no single rights") {
  Container container = task();
  container.privileged = true;
  const Argv argv = build_docker_create({}, container, {"true"});
  CHECK(std::count(argv.begin(), argv.end(), "--privileged") == 1);
  CHECK(std::count(argv.begin(), argv.end(), "--cap-add=SYS_NICE") == 0);
}

TEST_CASE("a path is quoted where the client would read its commas as more fields") {
  Container container = task();
  container.mounts = {{"/a,b", "/c\"d,readonly"}};
  const Argv argv = build_docker_create({}, container, {"true"});
  const auto mount = std::find(argv.begin(), argv.end(), "--mount");
  REQUIRE(mount != argv.end());
  CHECK(mount[1] == R"(type=bind,"source=/a,b","target=/c""d,readonly")");
}

TEST_CASE("cores are decimals without needless zeros") {
  const std::vector<std::pair<std::uint64_t, std::string>> rows{{1, "0.001"}, {10, "0.01"},   {500, "0.5"},
                                                                {1000, "1"},  {1050, "1.05"}, {64'000, "64"}};
  for (const auto& [millicores, text] : rows) CHECK(decimal_cores(millicores) == text);
}

TEST_CASE("CPUs are listed as ranges") {
  struct Row {
    std::vector<std::uint32_t> cpus;
    std::string text;
  };
  for (const auto& row : std::vector<Row>{
           {{}, ""}, {{3}, "3"}, {{0, 1}, "0-1"}, {{0, 2, 4}, "0,2,4"}, {{0, 1, 2, 7, 8, 15}, "0-2,7-8,15"}}) {
    CHECK(cpuset_list(row.cpus) == row.text);
  }
}

TEST_CASE("a mount is two absolute paths and at most one option") {
  CHECK(*parse_mount("/data:/container/data") == Mount{"/data", "/container/data", false});
  CHECK(*parse_mount("/data:/d:rw") == Mount{"/data", "/d", false});
  CHECK(*parse_mount("/data:/x..y/..z:ro") == Mount{"/data", "/x..y/..z", true});
  CHECK(*parse_mount("/a b,c:/d:ro") == Mount{"/a b,c", "/d", true});
  for (const std::string text :
       {"", "/data", "/data:", ":/d", "data:/d", "/data:d", "/data:/d:", "/data:/d:x", "::", "/data:/d:ro:rw",
        "/data::ro", "/data:/x/../y", "/data:/..", "/data:/.hakuriver", "/data:/.hakuriver/bin:ro"}) {
    CAPTURE(text);
    const auto mount = parse_mount(text);
    REQUIRE_FALSE(mount.has_value());
    CHECK(mount.error().code == Errc::parse);
    CHECK(mount.error().message.find("'" + text + "'") != std::string::npos);
  }
}

}  // namespace
}  // namespace hakuriver
