#include "doors/engine_watch.hpp"

#include <doctest/doctest.h>

#include <future>
#include <string>
#include <utility>
#include <vector>

using namespace hakuriver;
using doors::Containers;
using doors::EngineWatch;
using namespace std::chrono_literals;

namespace {

struct Lines final : LogSink {
  void write(LogLevel, std::string_view text) noexcept override { all.emplace_back(text); }
  std::vector<std::string> all;
};

Containers containers_at(std::string socket) {
  Containers containers;
  containers.socket = std::move(socket);
  return containers;
}

// An engine that is there, or not, as written, look by look. Only the watch's thread uses it until `is_over`.
struct ScriptedEngine {
  explicit ScriptedEngine(std::vector<bool> looks) : script(std::move(looks)) {}

  bool next() {
    if (at + 1 == script.size()) over.set_value();
    return at < script.size() ? bool{script[at++]} : false;
  }
  doors::EnginePorts ports() {
    doors::EnginePorts ports;
    ports.find = [this]() -> Result<Containers> {
      if (next()) return containers_at("/found");
      return Error{Errc::not_found, "nowhere"};
    };
    ports.answers = [this](const Containers& asked) -> Status {
      CHECK(!asked.socket.empty());
      if (next()) return Unit{};
      return Error{Errc::unavailable, "no answer"};
    };
    ports.changed = [this](bool is_there) { told.emplace_back(at, is_there); };
    ports.log = &lines;
    return ports;
  }

  std::vector<bool> script;
  std::size_t at = 0;
  std::promise<void> over;
  std::vector<std::pair<std::size_t, bool>> told;  // after how many looks, and what
  Lines lines;
};

// What is told by the time that all looks of the script are done, and once more nothing for the looks behind them.
void watch(ScriptedEngine& engine, std::optional<Containers> first) {
  EngineWatch watch(std::move(first), engine.ports(), 1ms);
  watch.start();
  engine.over.get_future().wait();
  watch.stop();
}

}  // namespace

TEST_CASE("an engine that comes later is found, and told once") {
  ScriptedEngine engine({false, false, true, true, true});
  EngineWatch watch(std::nullopt, engine.ports(), 1ms);
  CHECK(watch.containers() == nullptr);
  watch.start();
  engine.over.get_future().wait();
  watch.stop();
  REQUIRE(!engine.told.empty());
  CHECK(engine.told.front() == std::pair<std::size_t, bool>{3, true});
  REQUIRE(watch.containers() != nullptr);
  CHECK(watch.containers()->socket == "/found");
  CHECK(engine.lines.all.front() == "containers by '/found'");
}

TEST_CASE("one silence of an engine is none, two in a row are told, and so is its return") {
  ScriptedEngine engine({false, true, false, false, false, true, true});
  watch(engine, containers_at("/first"));
  REQUIRE(engine.told.size() >= 2);
  CHECK(engine.told[0] == std::pair<std::size_t, bool>{4, false});
  CHECK(engine.told[1] == std::pair<std::size_t, bool>{6, true});
  CHECK(engine.lines.all[0] == "no containers for now: '/first': no answer");
  CHECK(engine.lines.all[1] == "containers by '/found'");
}

TEST_CASE("what was found last stays known while the engine is away") {
  ScriptedEngine engine({false, false, false});
  EngineWatch watch(containers_at("/first"), engine.ports(), 1ms);
  watch.start();
  engine.over.get_future().wait();
  watch.stop();
  REQUIRE(watch.containers() != nullptr);
  CHECK(watch.containers()->socket == "/first");
}

TEST_CASE("a watch that is hurried looks at once") {
  ScriptedEngine engine({true});
  EngineWatch watch(containers_at("/first"), engine.ports(), std::chrono::hours(24));
  watch.start();
  watch.look_now();
  engine.over.get_future().wait();
  watch.stop();
  CHECK(engine.told.empty());
}

TEST_CASE("after a silence the next look does not wait for its time") {
  ScriptedEngine engine({false, false});
  EngineWatch watch(containers_at("/first"), engine.ports(), std::chrono::hours(24));
  watch.start();
  watch.look_now();
  engine.over.get_future().wait();
  watch.stop();
  REQUIRE(engine.told.size() == 1);
  CHECK(engine.told.front() == std::pair<std::size_t, bool>{2, false});
}

TEST_CASE("a watch that waits is stopped at once") {
  ScriptedEngine engine({});
  EngineWatch watch(std::nullopt, engine.ports(), std::chrono::hours(24));
  watch.start();
  watch.stop();
  CHECK(engine.told.empty());
}
