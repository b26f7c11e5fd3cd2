#include "container/messages.hpp"

#include <doctest/doctest.h>

using namespace hakuriver;
using namespace hakuriver::container;

namespace {

TEST_CASE("the version is ours, or the oldest that a newer engine takes") {
  struct Row {
    std::string newest;
    std::string oldest;
    std::string spoken;  // empty: none
  };
  for (const auto& row : std::vector<Row>{{"1.41", "1.12", "1.41"},
                                          {"1.50", "1.24", "1.41"},
                                          {"1.52", "1.44", "1.44"},
                                          {"2.1", "2.0", "2.0"},
                                          {"1.40", "1.12", ""},
                                          {"", "1.12", ""},
                                          {"1.", "1.12", ""},
                                          {"x.41", "1.12", ""}}) {
    CAPTURE(row.newest);
    const auto version =
        negotiate_version(R"({"ApiVersion":")" + row.newest + R"(","MinAPIVersion":")" + row.oldest + R"("})");
    CHECK(version.has_value() == !row.spoken.empty());
    if (version) CHECK(*version == row.spoken);
  }
}

TEST_CASE("a container is asked for with its limits, rights and mounts") {
  Container container{.name = "hakuriver-task-7", .image = "my-env"};
  container.labels = {{"hakuriver.owner", "a/7/1"}};
  container.user = "1000:1001";
  container.groups = {20};
  container.working_directory = "/srv";
  container.network = "none";
  container.millicores = 1500;
  container.memory_bytes = 1 << 30;
  container.cpus = {2, 3};
  container.memory_node = 1;
  container.mounts = {{"/data", "/d", true}};
  container.entrypoint = "/.hakuriver/init";
  container.no_new_privileges = true;
  CHECK(encode_create(container, {"sh", "-c", "a \"b\""}, {"A=1"}) ==
        R"({"Image":"my-env","Cmd":["sh","-c","a \"b\""],"Entrypoint":["/.hakuriver/init"],"Env":["A=1"],)"
        R"("Labels":{"hakuriver.owner":"a/7/1"},"User":"1000:1001","WorkingDir":"/srv","HostConfig":{)"
        R"("NetworkMode":"none","Init":true,"Privileged":false,"CapAdd":["SYS_NICE"],)"
        R"("SecurityOpt":["no-new-privileges"],"GroupAdd":["20"],"NanoCpus":1500000000,"Memory":1073741824,)"
        R"("MemorySwap":1073741824,"CpusetCpus":"2-3","CpusetMems":"1",)"
        R"("Ulimits":[{"Name":"core","Soft":0,"Hard":0}],)"
        R"("Mounts":[{"Type":"bind","Source":"/data","Target":"/d","ReadOnly":true}],"LogConfig":{"Type":"none"}}})");
}

TEST_CASE("an image's words may be a list, one word, null or absent") {
  CHECK(decode_image(R"({"Id":"x","Config":{"Entrypoint":["a","b"]}})")->entrypoint == Argv{"a", "b"});
  CHECK(decode_image(R"({"Id":"x","Config":{"Entrypoint":"a"}})")->entrypoint == Argv{"a"});
  CHECK(decode_image(R"({"Id":"x","Config":{"Entrypoint":null}})")->entrypoint.empty());
  CHECK(decode_image(R"({"Id":"x","Config":null})")->environment.empty());
  CHECK(decode_image(R"({"Id":"x","More":{"a":[1,-2.5,null]}})")->id == "x");
}

TEST_CASE("a container's state tells how it ended and whose it is") {
  const auto state = decode_container(
      R"({"Id":"1","State":{"Status":"exited","Running":false,"OOMKilled":true,"ExitCode":137,"Error":""},)"
      R"("Config":{"Labels":{"other":"x","hakuriver.owner":"a/7/1"}}})");
  REQUIRE(state);
  CHECK(state->status == "exited");
  CHECK(state->is_oom_killed);
  CHECK(state->exit_code == 137);
  CHECK(state->owner == "a/7/1");
  CHECK_FALSE(state->is_alive());
  CHECK(decode_container(R"({"State":{"Status":"paused","ExitCode":0},"Config":{"Labels":null}})")->owner.empty());
}

TEST_CASE("an error is one line of its message, or of the text") {
  CHECK(decode_error("{\"message\":\"no such image\\n\"}") == "no such image");
  CHECK(decode_error("<html>\n") == "<html>");
  CHECK(decode_error("") == "");
  CHECK(decode_error(std::string(5000, 'x')).size() == 500);
}

}  // namespace
