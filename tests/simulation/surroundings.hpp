// What every part of a simulated cluster shares.
#pragma once

#include <cstdint>

#include "simulation/faults.hpp"
#include "simulation/history.hpp"
#include "simulation/scheduler.hpp"

namespace hakuriver::simulation {

struct Surroundings {
  Surroundings(std::uint64_t seed, Mutation planted, bool trace_on)
      : random(seed), profile(draw_profile(random)), mutation(planted), trace(scheduler, trace_on), history(trace) {}

  bool fault(double probability) { return faults_on && random.chance(probability); }
  Now now() const { return {scheduler.now(), UtcTime{scheduler.now().microseconds + utc_offset}}; }

  Scheduler scheduler;
  Random random;
  FaultProfile profile;
  Mutation mutation;
  Trace trace;
  History history;
  bool faults_on = true;
  std::int64_t utc_offset = 1'700'000'000'000'000;
};

}  // namespace hakuriver::simulation
