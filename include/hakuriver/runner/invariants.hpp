// What must hold of an agent's state between any two events. For tests; a sentence for each thing that does not.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "hakuriver/host/capacity.hpp"
#include "hakuriver/runner/state.hpp"

namespace hakuriver {
inline namespace v1 {

namespace detail {

inline void check_use(const RunnerState& state, std::vector<std::string>& broken) {
  NodeUse use;
  std::map<std::uint32_t, NodeUse> numa_use;
  for (const auto& [key, attempt] : state.attempts) {
    if (attempt.status == LocalStatus::ended) continue;
    add_use(use, attempt.resources);
    if (attempt.numa_node) add_use(numa_use[*attempt.numa_node], attempt.resources);
  }
  if (use != state.use) broken.push_back("what is counted as taken is not what the attempts that run hold");
  for (const auto& [numa, counted] : state.numa_use) {
    if (counted != numa_use[numa]) {
      broken.push_back("what is counted as taken of NUMA node " + std::to_string(numa) + " is not what runs there");
    }
  }
}

inline void check_queue(const RunnerState& state, std::vector<std::string>& broken) {
  std::uint64_t queued = 0;
  for (const auto& waiting : state.queue) {
    queued += waiting.count;
    if (waiting.count == 0) broken.push_back("a queued range is empty");
    if (waiting.spec == nullptr) broken.push_back("task " + to_string(waiting.first) + " waits without its spec");
  }
  if (queued != state.queued) broken.push_back("the queue holds another number of tasks than is counted");
  if (state.stop_by && queued > 0) broken.push_back("the agent stops and tasks wait");
}

inline void check_calls(const RunnerState& state, std::vector<std::string>& broken) {
  const bool registered = state.phase == RunnerPhase::registered;
  if (!registered && state.poll_call.value != 0) broken.push_back("a poll is out without a run");
  if (!registered && state.report_call.value != 0) broken.push_back("a report is out without a run");
  if (registered && state.setup_call.value != 0) broken.push_back("a call to begin a run is out during the run");
  const bool asks = state.phase == RunnerPhase::taking_over || state.phase == RunnerPhase::registering;
  if (asks && state.setup_call.value == 0) broken.push_back("the agent waits for an answer to nothing");
  if (registered && !state.keeper_held) broken.push_back("a run goes on without a keeper");
}

}  // namespace detail

inline std::vector<std::string> broken_invariants(const RunnerState& state) {
  std::vector<std::string> broken;
  detail::check_use(state, broken);
  detail::check_queue(state, broken);
  detail::check_calls(state, broken);
  if (state.confirmed > state.last_record) broken.push_back("more records are confirmed than are known");
  return broken;
}

}  // namespace v1
}  // namespace hakuriver
