#include <doctest/doctest.h>

#include "container/engine.hpp"
#include "scripted_socket.hpp"

using namespace hakuriver;
using namespace hakuriver::container;
using namespace hakuriver::test;

namespace {

const std::string kVersion = answer(200, R"({"ApiVersion":"1.41","MinAPIVersion":"1.12","Os":"linux"})");

std::unique_ptr<Engine> open_at(const ScriptedSocket& socket) {
  auto engine = open_api_engine(socket.path());
  REQUIRE_MESSAGE(engine, (engine ? "" : engine.error().message));
  return std::move(*engine);
}

TEST_CASE("an engine is asked for its version first, and then in that version") {
  ScriptedSocket socket(
      {{kVersion, answer(200, R"({"Id":"sha256:1","Config":{"Entrypoint":null,"Env":["A=1"]}})"), answer(204, "")}});
  const auto engine = open_at(socket);
  const auto image = engine->image("hakuriver/my env:base");
  REQUIRE(image);
  CHECK(image->environment == std::vector<std::string>{"A=1"});
  CHECK(engine->pause("hakuriver-task-7"));
  CHECK(socket.asked() == std::vector<std::string>{"GET /version HTTP/1.1",
                                                   "GET /v1.41/images/hakuriver/my%20env%3Abase/json HTTP/1.1",
                                                   "POST /v1.41/containers/hakuriver-task-7/pause HTTP/1.1"});
}

TEST_CASE("each verb is one request, and a container is removed whatever it does, with its volumes") {
  ScriptedSocket socket({{kVersion, answer(204, ""), answer(204, ""), answer(204, ""), answer(204, "")}});
  const auto engine = open_at(socket);
  CHECK(engine->start("c"));
  CHECK(engine->resume("c"));
  CHECK(engine->kill("c"));
  CHECK(engine->remove("c"));
  auto asked = socket.asked();
  asked.erase(asked.begin());
  CHECK(asked == std::vector<std::string>{"POST /v1.41/containers/c/start HTTP/1.1",
                                          "POST /v1.41/containers/c/unpause HTTP/1.1",
                                          "POST /v1.41/containers/c/kill?signal=KILL HTTP/1.1",
                                          "DELETE /v1.41/containers/c?force=1&v=1 HTTP/1.1"});
}

TEST_CASE("an engine's id leads nowhere else") {
  ScriptedSocket socket({{kVersion, answer(201, R"({"Id":"0/../../containers/other"})"), answer(200, "")}});
  const auto executed = open_at(socket)->execute("c", {"true"});
  REQUIRE_FALSE(executed);
  CHECK(executed.error().code == Errc::parse);
  CHECK(socket.asked().size() == 2);
}

TEST_CASE("what an engine refuses is told apart, in its own words") {
  struct Row {
    int status;
    Errc code;
  };
  for (const auto& row : std::vector<Row>{
           {400, Errc::invalid_argument}, {404, Errc::not_found}, {409, Errc::conflict}, {500, Errc::io}}) {
    ScriptedSocket socket({{kVersion, answer(row.status, "{\"message\":\"too\\nbad\"}\n")}});
    const auto engine = open_at(socket);
    const auto state = engine->state("x");
    REQUIRE_FALSE(state);
    CHECK(state.error().code == row.code);
    CHECK(state.error().message == "too bad");
  }
}

TEST_CASE("a socket that is not there, or where nobody listens, is named with the reason") {
  ScratchDirectory directory;
  const auto missing = open_api_engine(directory / "none.sock");
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == Errc::unavailable);
  CHECK(missing.error().message == "'" + (directory / "none.sock") + "': No such file or directory");
  CHECK_FALSE(open_api_engine(std::string(200, 'x')));
}

TEST_CASE("garbage and half answers are errors") {
  const std::vector<std::string> rows{"",
                                      "garbage\r\n\r\n",
                                      "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{}",
                                      answer(200, ""),
                                      answer(200, "[]"),
                                      answer(200, R"({"State":{}})"),
                                      answer(200, R"({"Id":7})"),
                                      answer(200, R"({"Id":"x","Config":[]})"),
                                      answer(200, std::string(200'000, '['))};
  for (const auto& row : rows) {
    CAPTURE(row.substr(0, 60));
    ScriptedSocket socket({{kVersion, row}});
    const auto engine = open_at(socket);
    CHECK_FALSE(engine->image("x"));
  }
}

TEST_CASE("an answer without an end is cut off") {
  ScriptedSocket socket({{kVersion, "HTTP/1.1 200 OK\r\nContent-Length: 900000000\r\n\r\n{"}});
  const auto engine = open_at(socket);
  const auto image = engine->image("x");
  REQUIRE_FALSE(image);
  CHECK(image.error().code == Errc::limit);
}

TEST_CASE("an engine of another age is refused") {
  ScriptedSocket old({{answer(200, R"({"ApiVersion":"1.40","MinAPIVersion":"1.12"})")}});
  const auto refused = open_api_engine(old.path());
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::limit);
  CHECK(refused.error().message.find("'1.40'") != std::string::npos);
}

}  // namespace
