#include <doctest/doctest.h>

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>

#include "simulation/cluster.hpp"

using namespace hakuriver::simulation;

namespace {

std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAKURIVER_SIMULATION_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAKURIVER_SIMULATION_SANITIZED
#endif
#endif

// Builds that run many times slower look at fewer clusters unless told otherwise. What counts is the optimiser, for
// the tests are optimised with assertions.
#ifdef HAKURIVER_SIMULATION_SANITIZED
constexpr std::uint64_t kSeeds = 200;
constexpr const char* kBuild = " (a build under a sanitizer; an optimised one looks at 2000)";
#elif !defined(__OPTIMIZE__)
constexpr std::uint64_t kSeeds = 100;
constexpr const char* kBuild = " (a build that is not optimised; an optimised one looks at 2000)";
#else
constexpr std::uint64_t kSeeds = 2000;
constexpr const char* kBuild = "";
#endif

}  // namespace

TEST_CASE("every promise holds in clusters where everything fails") {
  const std::uint64_t only = number_from_environment("HAKURIVER_SIMULATION_SEED", 0);
  if (only != 0) {
    const Findings findings = simulate(only, Mutation::none, true);
    for (const auto& violation : findings.violations) MESSAGE("seed ", only, ": ", violation);
    CHECK(findings.violations.empty());
    return;
  }
  const std::uint64_t seeds = number_from_environment("HAKURIVER_SIMULATION_SEEDS", kSeeds);
  std::uint64_t executions = 0;
  std::uint64_t finals = 0;
  std::uint64_t failed = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const Findings findings = simulate(seed);
    executions += findings.executions;
    finals += findings.finals;
    if (findings.violations.empty()) continue;
    ++failed;
    MESSAGE("seed ", seed, ": ", findings.violations[0], " (HAKURIVER_SIMULATION_SEED=", seed, " replays it)");
    if (failed == 20) break;
  }
  CHECK(failed == 0);
  MESSAGE(seeds, " simulated clusters", std::string(kBuild), ", ", finals, " tasks, ", executions, " executions");
  CHECK(executions > seeds);
}

TEST_CASE("the same seed gives the same history") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const Findings first = simulate(seed);
    const Findings second = simulate(seed);
    CHECK(first.executions == second.executions);
    CHECK(first.virtual_seconds == second.virtual_seconds);
    CHECK(first.violations == second.violations);
  }
}

TEST_CASE("planted bugs are found as breaches of the promise that they break") {
  constexpr std::uint64_t kWithin = 1000;
  for (const PlantedBug& bug : kPlantedBugs) {
    CAPTURE(std::string(bug.name));
    std::uint64_t found = 0;
    for (std::uint64_t seed = 1; seed <= kWithin && found == 0; ++seed) {
      const Findings findings = simulate(seed, bug.mutation);
      if (findings.violations.empty() || findings.violations[0].rfind(bug.breaks, 0) != 0) continue;
      found = seed;
      MESSAGE(std::string(bug.name), ", seed ", seed, ": ", findings.violations[0]);
    }
    CHECK(found != 0);
  }
}
