// What a client program of an engine is given.
#include <doctest/doctest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "container/engine.hpp"
#include "support/scratch_directory.hpp"

using namespace hakuriver;
using namespace hakuriver::container;
using namespace hakuriver::test;

namespace {

// A client that keeps what it was given, and ends as it is told.
struct Client {
  explicit Client(const std::string& end = "exit 0") {
    const std::string program = directory.write("docker", "#!/bin/sh\ncd " + directory.path() +
                                                              "\nprintf '%s\\n' \"$@\" >words; env >environment; "
                                                              "cp -p state/variables given 2>/dev/null; " +
                                                              end + "\n");
    std::filesystem::permissions(program, std::filesystem::perms::owner_all);
    std::filesystem::create_directory(directory / "state");
    engine = open_command_engine({program, {}, {}}, directory / "state");
  }
  Status create(const std::vector<std::string>& environment) const {
    Container container;
    container.name = "hakuriver-task-7";
    container.image = "box";
    return engine->create(container, {"x"}, environment);
  }
  std::string given(const std::string& file) const { return contents_of(directory / file); }
  bool has(const std::string& file, const std::string& line) const {
    return ("\n" + given(file)).find("\n" + line + "\n") != std::string::npos;
  }

  ScratchDirectory directory;
  std::unique_ptr<Engine> engine;
};

TEST_CASE("values of variables are in a file that only we can read, and only as long as the client needs it") {
  for (const std::string end : {"exit 0", "echo 'Error: no' >&2; exit 1", "kill -9 $$"}) {
    CAPTURE(end);
    const Client client(end);
    CHECK(client.create({"A=s e c r e t", "DOCKER_HOST=unix:///other"}).has_value() == (end == "exit 0"));
    CHECK(client.given("given") == "A=s e c r e t\nDOCKER_HOST=unix:///other\n");
    using std::filesystem::perms;
    CHECK(std::filesystem::status(client.directory / "given").permissions() ==
          (perms::owner_read | perms::owner_write));
    CHECK(std::filesystem::is_empty(client.directory / "state"));
    CHECK(client.given("words").find("s e c r e t") == std::string::npos);
    CHECK(client.given("environment").find("unix:///other") == std::string::npos);
  }
}

TEST_CASE("what cannot stand in a file goes by its name, unless it would change the client") {
  const Client client;
  const std::string longest = "LONG=" + std::string(32'763, 'x');
  REQUIRE(client.create({"TWO=1\n2", longest, longest + "y", "#A=x"}));
  CHECK(client.given("given") == longest + "\n");
  CHECK(client.has("words", "--env\nTWO\n--env\nLONG\n--env\n#A"));
  CHECK(client.has("environment", "TWO=1\n2"));
  CHECK(client.has("environment", longest + "y"));
  for (const std::string name :
       {"PATH", "HOME", "DOCKER_HOST", "CONTAINERS_CONF", "XDG_RUNTIME_DIR", "LD_PRELOAD", "http_proxy", "ALL_PROXY"}) {
    CAPTURE(name);
    const auto made = Client().create({name + "=1\n2"});
    REQUIRE_FALSE(made);
    CHECK(made.error().code == Errc::invalid_argument);
    CHECK(made.error().message.starts_with("variable '" + name + "': such a value cannot be passed through '"));
  }
}

TEST_CASE("what a client says is told apart by whose word it is") {
  struct Row {
    std::string end;
    Errc code;
  };
  for (const auto& row : std::vector<Row>{{"echo 'Error: No such container: x' >&2; exit 1", Errc::not_found},
                                          {"echo 'Cannot connect to the daemon' >&2; exit 1", Errc::unavailable},
                                          {"echo 'x is not running' >&2; exit 1", Errc::conflict},
                                          {"exit 125", Errc::invalid_argument},
                                          {"kill -9 $$", Errc::unavailable}}) {
    CAPTURE(row.end);
    const Client client(row.end);
    CHECK(client.engine->remove("x").error().code == row.code);
    CHECK(client.given("words") == "rm\n--force\n--volumes\nx\n");
  }
}

}  // namespace
