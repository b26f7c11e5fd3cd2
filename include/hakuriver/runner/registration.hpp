// How a run begins: an introduction, the keeper with all that it holds, and the host's word that it is committed.
#pragma once

#include <algorithm>
#include <string>
#include <utility>

#include "hakuriver/runner/orders.hpp"
#include "hakuriver/runner/reports.hpp"

namespace hakuriver {
inline namespace v1 {

namespace detail {

inline void note(RunnerTurn& turn, std::string text) {
  if (turn.state.last_note == text) return;
  turn.state.last_note = text;
  turn.out.push_back(runner_effect::Note{std::move(text)});
}

// Says hello again: at once the first time, then later and later. The present run is over for the host; what waits
// at the node may still start until the keeper is taken over, for the next listing tells of it.
inline void begin_again(RunnerTurn& turn, bool at_once) {
  RunnerState& state = turn.state;
  const bool quick = at_once && state.setup_tries == 0;
  state.phase = RunnerPhase::greeting;
  state.setup_call = {};
  state.poll_call = {};
  state.report_call = {};
  state.setup_at = quick ? turn.now : turn.now + backoff(turn, state.setup_tries);
  ++state.setup_tries;
}

inline void greet_if_due(RunnerTurn& turn) {
  RunnerState& state = turn.state;
  if (state.phase != RunnerPhase::greeting || state.setup_call.value != 0 || turn.now < state.setup_at) return;
  state.setup_call = next_call(state);
  turn.out.push_back(runner_effect::SayHello{
      state.setup_call, Hello{kNodeProtocolVersion, state.node, state.runner_id, state.epoch_seen}});
}

// From here on nothing of the run before may start: the listing that follows would not hold it.
inline void take_introduction(RunnerTurn& turn, const Introduction& introduction) {
  RunnerState& state = turn.state;
  state.introduction = introduction;
  state.phase = RunnerPhase::taking_over;
  state.keeper_held = false;
  clear_queue(state);
  state.setup_call = next_call(state);
  turn.out.push_back(runner_effect::TakeKeeperOver{state.setup_call, introduction.cluster_id, introduction.epoch});
}

inline LocalAttempt local_of(const KeptAttempt& kept) {
  LocalAttempt attempt{LocalStatus::running, {kept.millicores, kept.memory_bytes}, kept.numa_node, 0};
  if (kept.state == KeptState::paused) attempt.status = LocalStatus::paused;
  if (kept.state == KeptState::ended) {
    attempt.status = LocalStatus::ended;
    attempt.record = kept.record;
  }
  return attempt;
}

inline void take_listing(RunnerState& state, const KeeperListing& listing) {
  state.session = listing.session;
  state.run = RunId{state.introduction.challenge};
  state.confirmed = listing.confirmed;
  state.last_record = listing.confirmed;
  state.attempts.clear();
  state.use = NodeUse{};
  state.numa_use.clear();
  for (const auto& kept : listing.attempts) {
    const LocalAttempt attempt = local_of(kept);
    if (attempt.status != LocalStatus::ended) hold_place(state, attempt);
    state.last_record = std::max(state.last_record, attempt.record);
    state.attempts.insert_or_assign(kept.key, attempt);
  }
  state.applied = 0;
  state.first_event = 1;
  state.events.clear();
}

inline void take_keeper(RunnerTurn& turn, const KeeperListing& listing) {
  RunnerState& state = turn.state;
  take_listing(state, listing);
  state.keeper_held = true;
  state.epoch_seen = {};
  state.phase = RunnerPhase::registering;
  state.setup_call = next_call(state);
  turn.out.push_back(runner_effect::Register{
      state.setup_call,
      Registration{state.node, state.runner_id, state.introduction.challenge, state.introduction.epoch, state.run,
                   listing.session, listing.confirmed, state.facts, listing.attempts}});
}

inline void take_keeper_refusal(RunnerTurn& turn, const Error& error) {
  RunnerState& state = turn.state;
  if (error.code == Errc::denied) {
    state.epoch_seen = Epoch{state.introduction.epoch.value + 1};
    note(turn, "this node has obeyed a later start of the host than the one that answers: " + error.message);
  } else if (error.code == Errc::conflict) {
    note(turn, "this node still holds tasks of another cluster: " + error.message +
                   "; let them end under their own host, stop them with it, or use another state directory");
  } else {
    note(turn, "the keeper cannot be taken over: " + error.message);
  }
  begin_again(turn, false);
}

// What the registration listed as ended is committed, as far as the answer confirms.
inline void take_registration_answer(RunnerTurn& turn, const RegistrationAnswer& answer) {
  RunnerState& state = turn.state;
  state.phase = RunnerPhase::registered;
  state.setup_call = {};
  state.report_interval = std::max(answer.report_interval, std::chrono::milliseconds{1});
  state.poll_tries = 0;
  state.poll_at = turn.now;
  state.report_tries = 0;
  state.report_at = turn.now;  // the first report tells the node's health
  std::erase_if(state.attempts, [&answer](const auto& each) {
    return each.second.status == LocalStatus::ended && each.second.record <= answer.confirmed;
  });
  confirm_records(turn, answer.confirmed);
  note(turn, "registered as '" + state.node + "'");
}

}  // namespace detail

}  // namespace v1
}  // namespace hakuriver
