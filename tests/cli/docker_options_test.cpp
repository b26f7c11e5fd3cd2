#include "cli/docker_options.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "cli/docker_containers.hpp"

using namespace hakuriver;
using namespace hakuriver::cli;

namespace {

DockerOrder good(const std::vector<std::string>& words) {
  const auto order = parse_docker_order(words);
  REQUIRE_MESSAGE(order, (order ? "" : order.error().message));
  return *order;
}

bool has(const Argv& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

TEST_CASE("each verb, and what it was called before") {
  struct Row {
    std::vector<std::string> words;
    DockerVerb verb;
    std::string name, image;
  };
  const std::vector<Row> rows{
      {{"create", "env"}, DockerVerb::create, "env", ""},
      {{"create", "python:3.12", "env"}, DockerVerb::create, "env", "python:3.12"},
      {{"create-container", "python:3.12", "env"}, DockerVerb::create, "env", "python:3.12"},
      {{"start", "env"}, DockerVerb::start, "env", ""},
      {{"start-container", "env"}, DockerVerb::start, "env", ""},
      {{"stop", "env"}, DockerVerb::stop, "env", ""},
      {{"stop-container", "env"}, DockerVerb::stop, "env", ""},
      {{"package", "env"}, DockerVerb::package, "env", ""},
      {{"create-tar", "env"}, DockerVerb::package, "env", ""},
      {{"list"}, DockerVerb::list, "", ""},
      {{"list-containers"}, DockerVerb::list, "", ""},
      {{"versions"}, DockerVerb::versions, "", ""},
      {{"versions", "env"}, DockerVerb::versions, "env", ""},
      {{"list-tars"}, DockerVerb::versions, "", ""},
      {{"rollback", "env"}, DockerVerb::rollback, "env", ""},
      {{"delete", "env"}, DockerVerb::remove, "env", ""},
      {{"delete-container", "env"}, DockerVerb::remove, "env", ""},
      {{"shell", "env"}, DockerVerb::shell, "env", ""},
      {{"--help"}, DockerVerb::show_help, "", ""},
      {{"create", "-h"}, DockerVerb::show_help, "", ""},
      {{"--version"}, DockerVerb::show_version, "", ""},
      {{"shell", "--version"}, DockerVerb::show_version, "", ""},
  };
  for (const auto& row : rows) {
    CAPTURE(row.words[0]);
    const auto order = good(row.words);
    CHECK(order.verb == row.verb);
    CHECK(order.name == row.name);
    CHECK(order.image == row.image);
    CHECK_FALSE(order.version);
  }
}

TEST_CASE("options stand anywhere, but in a shell's command they are the command's") {
  const auto order = good({"--config", "c.toml", "versions", "-o", "json", "env"});
  CHECK(order.config_file == "c.toml");
  CHECK(order.is_json);
  CHECK(good({"shell", "env", "--", "ls", "-o", "x"}).command == Argv{"ls", "-o", "x"});
  CHECK(good({"shell", "env", "ls", "--force"}).command == Argv{"ls", "--force"});
  CHECK(good({"shell", "--output", "table", "env"}).command.empty());
}

TEST_CASE("versions of packages, in both spellings") {
  CHECK(*good({"rollback", "env", "7"}).version == 7);
  CHECK(*good({"rollback", "env@7"}).version == 7);
  const auto order = good({"delete", "env", "--version", "7", "--force"});
  CHECK(order.verb == DockerVerb::remove_package);
  CHECK(*order.version == 7);
  CHECK(order.is_forced);
  CHECK(good({"delete", "env@7"}).verb == DockerVerb::remove_package);
}

TEST_CASE("what is wrong is said in one line that quotes it") {
  struct Row {
    std::vector<std::string> words;
    std::string told;
  };
  const std::vector<Row> rows{
      {{}, "a verb is missing"},
      {{"lst"}, "did you mean 'list'?"},
      {{"create"}, "name of an environment is missing"},
      {{"create", "a", "b", "c"}, "'c': nothing was expected"},
      {{"create", "A"}, "'A': expected an environment's name"},
      {{"create", "../a"}, "'../a': expected"},
      {{"list", "env"}, "'env': nothing was expected"},
      {{"package", "env@7"}, "'env@7': expected"},
      {{"rollback", "env", "seven"}, "'seven': expected a version"},
      {{"delete", "env", "--version"}, "expected a version"},
      {{"stop", "env", "--", "ls"}, "'ls': only shell takes a command"},
      {{"list", "--output", "xml"}, "'xml': expected table or json"},
      {{"list", "--nonsense"}, "--nonsense"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.told);
    const auto order = parse_docker_order(row.words);
    REQUIRE_FALSE(order);
    CHECK(order.error().code == Errc::invalid_argument);
    CHECK(order.error().message.find(row.told) != std::string::npos);
    CHECK(order.error().message.find('\n') == std::string::npos);
  }
}

TEST_CASE("the help begins with examples, and has every verb") {
  const auto help = docker_help();
  CHECK(help.starts_with("Examples:\n"));
  for (const std::string verb :
       {"create", "start", "stop", "shell", "package", "list", "versions", "rollback", "delete"}) {
    CHECK(help.find(verb + " ") != std::string::npos);
  }
}

TEST_CASE("an environment's container is known by its label, and does nothing") {
  CHECK(build_environment_words("env", "python:3.12", "/srv/a,b") ==
        Argv{"create", "--init", "--label=hakuriver.environment=env", "--name=hakuriver-env-env", "--mount",
             "type=bind,\"source=/srv/a,b\",target=/shared", "--entrypoint=", "python:3.12", "sleep", "infinity"});
}

TEST_CASE("an image that is made of it starts as the one that it was created from") {
  const auto words = build_commit_words("env", "hakuriver/env:7", R"(["python"])", "null");
  CHECK(words == Argv{"commit", "--change", R"(ENTRYPOINT ["python"])", "--change", "CMD []", "--change",
                      "LABEL hakuriver.environment=", "hakuriver-env-env", "hakuriver/env:7"});
}

TEST_CASE("a shell has a terminal where we have one") {
  CHECK(build_shell_words("env", {"ls", "-l"}, false, "xterm") ==
        Argv{"exec", "--interactive", "--user=0:0", "hakuriver-env-env", "ls", "-l"});
  const auto words = build_shell_words("env", {}, true, "xterm");
  CHECK(has(words, "--tty"));
  CHECK(has(words, "TERM=xterm"));
  CHECK(has(words, "sh"));
}

TEST_CASE("containers of others are not ours, whatever they are called") {
  const auto found = parse_inspected(
      "/hakuriver-env-b\trunning\tpython:3.12\tsha256:1\tb\n"
      "hakuriver-env-a\texited\tx\tsha256:2\ta\n"
      "/hakuriver-env-c\trunning\tx\tsha256:3\t\n"
      "/hakuriver-env-d\trunning\tx\tsha256:3\ta\n"
      "/other\trunning\tx\tsha256:3\tother\n"
      "garbage\n");
  REQUIRE(found.size() == 2);
  CHECK(found[0].name == "a");
  CHECK(found[0].state == "exited");
  CHECK(found[1].name == "b");
  CHECK(found[1].image == "python:3.12");
  CHECK(found[1].image_id == "sha256:1");
}

}  // namespace
