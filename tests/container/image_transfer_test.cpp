#include <doctest/doctest.h>
#include <sys/stat.h>

#include <string>
#include <vector>

#include "container/engine.hpp"
#include "container/messages.hpp"
#include "scripted_socket.hpp"
#include "support/scratch_directory.hpp"
#include "task_rig.hpp"

using namespace hakuriver;
using namespace hakuriver::container;
using namespace hakuriver::test;

namespace {

TEST_CASE("what an engine tells as it goes is read line by line, in any pieces, and what is garbage is not") {
  const std::string text =
      "{\"status\":\"Pulling\",\"progressDetail\":{}}\r\n"
      "garbage\r\n\r\n" +
      std::string(100'000, '[') +
      "\n{\"stream\":\"Loaded image: a:1\\n\"}\n{\"stream\":\"Loaded image ID: sha256:2\\n\"}\n"
      "{\"errorDetail\":{\"message\":\"no\"},\"error\":\"no\"}\n{\"error\":\"later\"}\n";
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, text.size()}) {
    Progress progress;
    for (std::size_t at = 0; at < text.size(); at += piece) progress.take(std::string_view(text).substr(at, piece));
    CHECK(progress.error() == "no");
    CHECK(progress.loaded() == std::vector<std::string>{"a:1"});
  }
}

const std::string kVersion = answer(200, R"({"ApiVersion":"1.41","MinAPIVersion":"1.12","Os":"linux"})");

TEST_CASE("a tar goes to the engine as it is, and what it says of it comes back") {
  const ScratchDirectory directory;
  const std::string tar = directory.write("box.tar", std::string(1'000'000, 't'));
  ScriptedSocket socket(
      {{kVersion, answer(200, "{\"stream\":\"Loaded image: hakuriver/box:7\\n\"}\n"),
        answer(200, "{\"errorDetail\":{\"message\":\"torn\"},\"error\":\"torn\"}"), answer(201, "")}});
  const auto engine = open_api_engine(socket.path());
  REQUIRE(engine);
  const auto loaded = (*engine)->load(tar);
  REQUIRE_MESSAGE(loaded, (loaded ? "" : loaded.error().message));
  CHECK(*loaded == std::vector<std::string>{"hakuriver/box:7"});
  const auto torn = (*engine)->load(tar);
  REQUIRE_FALSE(torn);
  CHECK(torn.error().message == "torn");
  CHECK((*engine)->tag("hakuriver/box:base", "hakuriver/box:7"));
  REQUIRE(::mkfifo((directory / "pipe").c_str(), 0666) == 0);
  CHECK((*engine)->load(directory / "none").error().code == Errc::io);
  CHECK((*engine)->load(directory / "pipe").error().message.ends_with("is not a regular file"));
  CHECK(open_command_engine({"/bin/true", {}, {}}, directory.path())->load(directory / "pipe").error().code ==
        Errc::io);
  CHECK(socket.asked() ==
        std::vector<std::string>{"GET /version HTTP/1.1", "POST /v1.41/images/load?quiet=1 HTTP/1.1",
                                 "POST /v1.41/images/load?quiet=1 HTTP/1.1",
                                 "POST /v1.41/images/hakuriver/box%3Abase/tag?repo=hakuriver%2Fbox&tag=7 HTTP/1.1"});
}

TEST_CASE("a pull asks for one image, and its failure is behind a good status") {
  ScriptedSocket socket({{kVersion, answer(200, "{\"status\":\"Pulling\"}\n"), answer(200, ""),
                          answer(200, "{\"status\":\"x\"}\n{\"error\":\"manifest unknown\"}\n"),
                          answer(500, "{\"message\":\"lookup failed\"}")}});
  const auto engine = open_api_engine(socket.path());
  REQUIRE(engine);
  CHECK((*engine)->pull("localhost:5000/a"));
  CHECK((*engine)->pull("a@sha256:00"));
  CHECK((*engine)->pull("a:2").error().code == Errc::not_found);
  const auto failed = (*engine)->pull("a:2");
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == Errc::io);
  CHECK(failed.error().message == "lookup failed");
  const auto asked = socket.asked();
  REQUIRE(asked.size() == 5);
  CHECK(asked[1] == "POST /v1.41/images/create?fromImage=localhost%3A5000%2Fa&tag=latest HTTP/1.1");
  CHECK(asked[2] == "POST /v1.41/images/create?fromImage=a%40sha256%3A00 HTTP/1.1");
}

}  // namespace
