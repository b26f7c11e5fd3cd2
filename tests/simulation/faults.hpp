// What may go wrong in one simulated cluster, and how often; and the bugs that can be planted in it.
#pragma once

#include <string_view>

#include "simulation/scheduler.hpp"

namespace hakuriver::simulation {

// Bugs that the checker must find. Each is made outside the product: by altering messages or state on their way.
enum class Mutation {
  none,
  answer_before_commit,       // promise 1: the host acts before the commit
  forget_submission_ids,      // promise 1: a restarted host does not know which submissions it has
  keep_state_after_failure,   // promises 1 and 3: a failed commit is ignored
  agent_takes_any_order,      // promise 2: orders of another run, late and repeated ones
  keeper_writes_no_intent,    // promise 2: a start leaves no trace until it is confirmed
  confirm_before_commit,      // promise 2: the keeper drops ends that the host does not have
  every_session_is_the_same,  // promises 2 and 4: absent from an unknown journal counts as never started
  lost_runs_again,            // promise 4: tasks of a silent node are placed elsewhere
  killed_when_asked,          // promise 5: a kill is final before the processes are gone
  agent_counts_double,        // promise 5: the agent starts more than fits
};

inline constexpr std::string_view kMutationNames[] = {"none",
                                                      "answer before commit",
                                                      "forget submission ids",
                                                      "keep state after a failed commit",
                                                      "agent takes any order",
                                                      "keeper writes no intent",
                                                      "confirm before commit",
                                                      "every session is the same",
                                                      "lost runs again",
                                                      "killed when asked",
                                                      "agent counts double"};

// Drawn from the seed: some clusters see one kind of fault, some all of them at once.
struct FaultProfile {
  double drop = 0;  // of each message
  double repeat = 0;
  double slow = 0;             // of being delayed by seconds
  double reset = 0;            // of the caller hearing of a failure although the message may arrive
  double host_step_crash = 0;  // at each commit: before, after, or amid its actions
  double commit_failure = 0;
  double agent_step_crash = 0;    // between two effects
  double keeper_step_crash = 0;   // between two steps of a start or an end
  double node_fault = 0;          // a start fails for lack of space
  microseconds pause_between{0};  // between two big faults, on average; 0: none
  bool host_crashes = false;
  bool agent_crashes = false;
  bool agent_stops = false;
  bool keeper_crashes = false;
  bool machine_crashes = false;
  bool partitions = false;
  bool journal_losses = false;
  bool clock_steps = false;
  bool forgets = false;
};

inline FaultProfile draw_profile(Random& random) {
  FaultProfile profile;
  const auto rate = [&random](double most) {
    const double share[] = {0, 0.1, 0.3, 1};
    return most * share[random.below(4)];
  };
  profile.drop = rate(0.2);
  profile.repeat = rate(0.3);
  profile.slow = rate(0.2);
  profile.reset = rate(0.1);
  profile.host_step_crash = rate(0.05);
  profile.commit_failure = rate(0.1);
  profile.agent_step_crash = rate(0.03);
  profile.keeper_step_crash = rate(0.1);
  profile.node_fault = rate(0.5);
  profile.pause_between = random.chance(0.5) ? random.between(200ms, 3s) : random.between(3s, 20s);
  profile.host_crashes = random.chance(0.5);
  profile.agent_crashes = random.chance(0.5);
  profile.agent_stops = random.chance(0.2);
  profile.keeper_crashes = random.chance(0.3);
  profile.machine_crashes = random.chance(0.3);
  profile.partitions = random.chance(0.5);
  profile.journal_losses = random.chance(0.2);
  profile.clock_steps = random.chance(0.2);
  profile.forgets = random.chance(0.3);
  return profile;
}

}  // namespace hakuriver::simulation
