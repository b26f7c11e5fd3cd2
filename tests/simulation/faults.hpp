// What may go wrong in one simulated cluster, and how often; and the bugs that can be planted in it.
#pragma once

#include <string_view>

#include "simulation/scheduler.hpp"

namespace hakuriver::simulation {

// Bugs that the checker must find. Each is made outside the product: by altering messages or state on their way.
enum class Mutation {
  none,
  answer_before_commit,       // the host acts before the commit
  forget_submission_ids,      // a restarted host does not know which submissions it has
  keep_state_after_failure,   // a failed commit is ignored
  agent_takes_any_order,      // orders of another run, late and repeated ones
  keeper_writes_no_intent,    // a start leaves no trace until it is confirmed
  confirm_before_commit,      // the keeper drops ends that the host does not have
  every_session_is_the_same,  // absent from an unknown journal counts as never started
  lost_runs_again,            // tasks of a silent node are placed elsewhere
  killed_when_asked,          // a kill is final before the processes are gone
  agent_counts_double,        // the agent starts more than fits
  confirm_and_trust,          // the keeper drops ends that the host does not have, and the host does not see it
  trusts_any_copy,            // the host does not see that its database is an old copy
  listing_without_places,     // the keeper does not tell what its attempts hold
};

struct PlantedBug {
  Mutation mutation;
  std::string_view name;
  std::string_view breaks;
};

inline constexpr PlantedBug kPlantedBugs[] = {
    {Mutation::answer_before_commit, "the host answers before the commit", "promise 1"},
    {Mutation::forget_submission_ids, "a restarted host forgets submission ids", "promise 1"},
    {Mutation::keep_state_after_failure, "the host goes on after a failed commit", "promise 1"},
    {Mutation::agent_takes_any_order, "the agent takes orders of another run", "promise 2"},
    {Mutation::keeper_writes_no_intent, "the keeper writes no intent", "promise 2"},
    {Mutation::confirm_before_commit, "records are confirmed before the commit",
     "liveness: the host takes its database"},
    {Mutation::confirm_and_trust, "records are confirmed before the commit, and nothing tells the host", "promise 2"},
    {Mutation::every_session_is_the_same, "absent from another journal means never started", "promise 2"},
    {Mutation::lost_runs_again, "a lost task is placed again", "promise 4"},
    {Mutation::killed_when_asked, "killed as soon as it is asked", "promise 5"},
    {Mutation::agent_counts_double, "the agent starts more than fits", "promise 5"},
    {Mutation::trusts_any_copy, "the host does not see that its database is an old copy", "promise 2"},
    {Mutation::listing_without_places, "an agent that restarts does not know what is taken", "promise 5"},
};

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
  bool facts_change = false;        // a node offers containers, or no more
  bool restores = false;            // once, an older copy of the host's store is put back, and the host is told so
  bool unnoticed_restores = false;  // it is not told until the only node has proved it
};

inline FaultProfile draw_profile(Random& random) {
  FaultProfile profile;
  const auto rate = [&random](double most) {
    const double share[] = {0, 0.1, 0.3, 1};
    return most * share[random.below(4)];
  };
  profile.drop = rate(0.2);
  profile.repeat = rate(0.3);
  profile.slow = rate(0.4);
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
  profile.restores = random.chance(0.1);
  profile.clock_steps = !profile.restores && random.chance(0.2);
  profile.forgets = random.chance(0.3);
  profile.unnoticed_restores = random.chance(0.25);
  profile.facts_change = random.chance(0.3);
  if (profile.unnoticed_restores) {
    // Only a node can prove it, and only for as long as it has its journal, has not been rebooted, and nobody has had
    // the host forget it.
    profile.restores = true;
    profile.clock_steps = profile.journal_losses = profile.machine_crashes = profile.forgets = false;
  }
  return profile;
}

}  // namespace hakuriver::simulation
