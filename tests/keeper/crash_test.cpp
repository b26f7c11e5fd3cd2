#include <doctest/doctest.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <random>

#include "keeper/node.hpp"

using namespace hakuriver;
using namespace hakuriver::test;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t kTasks = 30;

// Every third task runs until it is told to go on; each says that it ran.
std::string script(std::uint64_t number) {
  return "echo ran >> ran." + std::to_string(number) + (number % 3 == 0 ? "; sleep 1000" : "") + "; exit " +
         std::to_string(number % 50);
}

std::string runs_of(const Node& node, std::uint64_t number) {
  return contents_of(node.out_directory() + "/ran." + std::to_string(number));
}

// What must hold however often and wherever the keeper died: nothing ran twice, what is told is true, and a task that
// ran is not forgotten.
void check_truth(Node& node) {
  for (std::uint64_t number = 1; number <= kTasks; ++number) {
    CAPTURE(number);
    const auto runs = runs_of(node, number);
    CHECK((runs.empty() || runs == "ran\n"));
    const bool known = node.started.contains(number) || node.ended.contains(number);
    if (!runs.empty()) CHECK(known);
    if (!node.ended.contains(number)) continue;
    const auto& ended = node.ended[number];
    if (ended.outcome.kind == OutcomeKind::exited) {
      CHECK(ended.outcome.value == static_cast<int>(number % 50));
      CHECK(runs == "ran\n");
    } else if (!ended.by_request) {
      CHECK(ended.outcome.kind == OutcomeKind::unknown);
      CHECK_FALSE(ended.message.empty());
      if (ended.pid != 0) CHECK(is_gone(static_cast<pid_t>(ended.pid)));
    }
  }
}

// Goes on with a new keeper until all is over. The host of this story orders again what is not listed in the same
// session, as it may.
void go_on_to_the_end(Node& node) {
  for (std::uint64_t number = 1; number <= kTasks; ++number) {
    if (!node.started.contains(number) && !node.ended.contains(number)) {
      if (!node.port().start(node.shell(number, script(number))).has_value()) return;
    }
  }
  node.wait([&] {
    if (!node.gone.empty()) return true;
    std::uint64_t over = 0;
    for (std::uint64_t number = 1; number <= kTasks; ++number) {
      if (node.ended.contains(number) || (number % 3 == 0 && node.started.contains(number))) ++over;
    }
    return over == kTasks;
  });
}

}  // namespace

TEST_CASE("a keeper that dies at any step loses, repeats and invents nothing") {
  const std::vector<std::pair<const char*, std::vector<int>>> steps = {
      {"intent", {1, 2}},       {"intended", {1, 2}},        {"spawned", {1, 7, 17}},
      {"commit", {1, 2, 3, 5}}, {"committed", {1, 2, 3, 5}}, {"rewrite", {1}}};
  for (const auto& step : steps) {
    for (const int time : step.second) {
      const auto crash = std::string(step.first) + ":" + std::to_string(time);
      CAPTURE(crash);
      Node node({.keeper_program = HAKURIVER_TEST_CRASHING_KEEPER});
      auto listing = node.connect_to_die_at(crash);
      // A journal that could not even be made is made by the next keeper.
      if (!listing) listing = node.connect();
      REQUIRE(listing.has_value());
      const auto session = listing->session;
      go_on_to_the_end(node);
      for (int lives = 0; !node.gone.empty() && lives < 10; ++lives) {
        listing = node.connect();
        REQUIRE(listing.has_value());
        CHECK(listing->session == session);
        check_truth(node);
        go_on_to_the_end(node);
      }
      CHECK(node.gone.empty());
      check_truth(node);
    }
  }
}

TEST_CASE("a keeper that is killed at random loses, repeats and invents nothing") {
  std::mt19937 random(20240607);
  Node node;
  auto listing = node.connect();
  REQUIRE(listing.has_value());
  const auto session = listing->session;
  for (int life = 0; life < 15; ++life) {
    CAPTURE(life);
    for (std::uint64_t number = 1; number <= kTasks; ++number) {
      if (random() % 4 != 0 || node.started.contains(number) || node.ended.contains(number)) continue;
      node.start(node.shell(number, script(number)));
    }
    // Some work is done, or none.
    const auto until = node.events + random() % 12;
    node.wait([&, polls = 0]() mutable { return node.events >= until || ++polls > 4; });
    node.kill_keeper();
    listing = node.connect();
    REQUIRE(listing.has_value());
    CHECK(listing->session == session);
    check_truth(node);
  }
  go_on_to_the_end(node);
  CHECK(node.gone.empty());
  check_truth(node);
}
