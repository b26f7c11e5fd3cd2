#include "container/options.hpp"

#include <doctest/doctest.h>

using namespace hakuriver;
using namespace hakuriver::container;

namespace {

Argv common() { return {"--socket", "/s", "--name", "hakuriver-task-7", "--owner", "a/7/1", "--state", "/st"}; }

Argv operator+(Argv words, const Argv& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

TEST_CASE("what is built is read back") {
  Options options;
  options.socket = "/s";
  options.name = "hakuriver-task-7";
  options.owner = "a/7/1";
  options.state = "/st";
  options.init = "/init";
  options.hakurun = "/hakurun";
  options.niceness = 5;
  options.source = {"/packages", "/locks", "box@7", "/usr/bin/docker", "/s", 3};
  options.container.image = "my-env";
  options.container.user = "1000:1001";
  options.container.groups = {20, 44};
  options.container.working_directory = "/srv";
  options.container.network = "none";
  options.container.millicores = 1500;
  options.container.memory_bytes = 1 << 30;
  options.container.cpus = {0, 2};
  options.container.memory_node = 0;
  options.container.mounts = {{"/a", "/b", true}, {"/c", "/d", false}};
  options.container.privileged = true;
  options.container.no_new_privileges = true;
  const auto read = parse_options(build_run_words(options) + Argv{"run", "--", "--name", "x"});
  REQUIRE_MESSAGE(read, (read ? "" : read.error().message));
  CHECK(read->command == Argv{"--name", "x"});
  CHECK(read->uid == 1000);
  CHECK(read->gid == 1001);
  CHECK(read->source.login_client == "/usr/bin/docker");
  CHECK(read->source.socket == "/s");
  CHECK(read->source.keep_versions == 3);
  CHECK(read->container.mounts == options.container.mounts);
  CHECK(build_run_words(*read) == build_run_words(options));
}

TEST_CASE("a control verb needs only to know which container") {
  for (const std::string verb : {"pause", "resume", "terminate", "kill", "finish"}) {
    CHECK(parse_options(common() + Argv{verb})->verb == verb);
  }
}

TEST_CASE("a line that is not whole is refused, and named") {
  struct Row {
    Argv words;
    std::string named;
  };
  const std::vector<Row> rows{{{}, "--name"},
                              {common(), "expected run"},
                              {common() + Argv{"stop"}, "'stop'"},
                              {common() + Argv{"kill", "x"}, "'x'"},
                              {common() + Argv{"--what", "x", "kill"}, "'--what'"},
                              {common() + Argv{"--memory"}, "--memory needs"},
                              {common() + Argv{"--memory", "1G", "kill"}, "'1G'"},
                              {common() + Argv{"--cpus", "1,x", "kill"}, "'1,x'"},
                              {common() + Argv{"--user", "root", "kill"}, "'root'"},
                              {common() + Argv{"--mount", "a:b", "kill"}, "'a:b'"},
                              {common() + Argv{"--program", "docker", "kill"}, "either"},
                              {common() + Argv{"run", "--", "true"}, "--image"}};
  for (const auto& row : rows) {
    CAPTURE(row.named);
    const auto read = parse_options(row.words);
    REQUIRE_FALSE(read);
    CHECK(read.error().code == Errc::invalid_argument);
    CHECK(read.error().message.find(row.named) != std::string::npos);
  }
}

}  // namespace
