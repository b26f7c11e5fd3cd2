#include "simulation/host.hpp"

#include <type_traits>
#include <utility>

#include "hakuriver/host/invariants.hpp"

namespace hakuriver::simulation {

Host::Host(Surroundings& world) : world_(world) {
  policy_.report_interval = 2s;
  policy_.silence = 12s;
  policy_.poll_hold = 8s;
  policy_.ahead_window = 10s;
  policy_.ahead_limit = 16;
}

void Host::reload(bool superseded) {
  state_ = recover(*store_.load(), policy_, world_.now());
  state_->superseded = superseded;
  if (world_.mutation == Mutation::forget_submission_ids) state_->submissions.clear();
  world_.history.recovered(*state_);
}

void Host::begin() {
  ++life_;
  reload();
  tick();
}

void Host::start() {
  if (up()) return;
  world_.trace.say("host       starts");
  store_.raise_epoch();
  begin();
}

void Host::start_from_copy() {
  crash();
  world_.trace.say("host       starts from a copy of its store");
  store_.put_copy_back();
  world_.history.restored(store_.committed());
  accept_restore();
}

void Host::start_from_copy_unnoticed() {
  crash();
  world_.trace.say("host       starts from a copy of its store, and is not told so");
  store_.put_copy_back();
  world_.history.restored(store_.committed());
  start();
}

void Host::accept_restore() {
  crash();
  world_.trace.say("host       starts with the operator's word that its store is a copy");
  world_.history.restore_accepted();
  store_.raise_epoch(static_cast<std::uint64_t>(world_.now().utc.microseconds / 1'000'000));
  const auto records = records_of_restored(recover(*store_.load(), policy_, world_.now(), StoreTrust::restored));
  world_.history.committed(records);
  (void)store_.commit(records);
  begin();
}

void Host::crash() {
  if (!up()) return;
  world_.trace.say("host       crashes");
  ++life_;
  if (busy_ && world_.random.chance(0.5)) {
    store_.land_prepared();
    world_.history.committed(decisions_.records);
  }
  store_.drop_prepared();
  state_.reset();
  inbox_.clear();
  decisions_ = {};
  busy_ = false;
  for (const auto& [token, waiter] : std::exchange(waiters_, {})) waiter.broken();
}

void Host::tick() {
  receive(host_event::Tick{}, {});
  if (!up()) return;
  const auto next = world_.fault(0.02) ? world_.random.between(1s, 20s) : microseconds{500ms};
  world_.scheduler.after(next, [this, life = life_] {
    if (life == life_) tick();
  });
}

void Host::receive(decltype(HostEvent::what) what, Waiter waiter) {
  if (!up()) {
    waiter.broken();
    return;
  }
  const ReplyToken token{++last_token_};
  std::visit(
      [&](auto& event) {
        if constexpr (!std::is_same_v<std::decay_t<decltype(event)>, host_event::Tick>) {
          event.token = token;
          waiters_.emplace(token.value, std::move(waiter));
        }
      },
      what);
  if (auto* message = std::get_if<host_event::Register>(&what);
      message != nullptr && world_.mutation == Mutation::every_session_is_the_same) {
    message->message.session = {"journal", "boot"};
  }
  if (auto* message = std::get_if<host_event::Register>(&what);
      message != nullptr &&
      (world_.mutation == Mutation::trusts_any_copy || world_.mutation == Mutation::confirm_and_trust)) {
    message->message.confirmed = 0;
  }
  inbox_.push_back({world_.now(), std::move(what)});
  if (!busy_) begin_turn();
}

void Host::take(const HostEvent& event) {
  handle(*state_, event, decisions_);
  plant(event);
}

// Bugs that are made of the host's own steps, taken at the wrong moment.
void Host::plant(const HostEvent& event) {
  HostTurn turn{*state_, event.now, decisions_};
  std::vector<TaskId> lost;
  std::vector<TaskId> killed;
  for (const auto& [id, task] : state_->live) {
    if (task.status == TaskStatus::lost) lost.push_back(id);
    if (task.kill_requested && task.node != kNoNode) killed.push_back(id);
  }
  if (world_.mutation == Mutation::lost_runs_again) {
    for (const TaskId id : lost) {
      hakuriver::give_back(turn, id, Attempt{state_->live.at(id).attempt.value + 1}, 0, "its node is silent");
    }
  }
  if (world_.mutation == Mutation::killed_when_asked) {
    for (const TaskId id : killed) hakuriver::finish(turn, id, TaskEvent::kill_confirmed, EndRecord{});
  }
}

void Host::begin_turn() {
  busy_ = true;
  decisions_ = {};
  const std::vector<HostEvent> events = std::exchange(inbox_, {});
  for (const auto& event : events) take(event);
  settle(*state_, world_.now(), decisions_);
  for (const auto& broken : broken_invariants(*state_)) world_.history.violation("promise 5: host: " + broken);
  if (state_->superseded && !world_.history.expects_old_copy()) {
    world_.history.violation("liveness: the host takes its database for an old copy, and it is the latest");
  }
  if (world_.mutation == Mutation::answer_before_commit) perform(std::exchange(decisions_.actions, {}));
  store_.prepare(decisions_.records);
  const auto took = decisions_.records.empty() ? 10us : world_.random.between(100us, 5ms);
  world_.scheduler.after(took, [this, life = life_] {
    if (life == life_) end_turn();
  });
}

void Host::end_turn() {
  if (!decisions_.records.empty() && world_.fault(world_.profile.commit_failure)) {
    fail_commit();
  } else if (world_.fault(world_.profile.host_step_crash)) {
    crash();
  } else {
    store_.land_prepared();
    const Decisions done = std::exchange(decisions_, {});
    busy_ = false;
    world_.history.committed(done.records);
    perform(done.actions);
  }
  if (up() && !busy_ && !inbox_.empty()) begin_turn();
}

// No action is done; whoever waits hears of it; the state is made again from what the disk really holds.
void Host::fail_commit() {
  world_.trace.say("host       a commit fails");
  const bool landed = world_.mutation != Mutation::keep_state_after_failure && world_.random.chance(0.3);
  if (landed) {
    store_.land_prepared();
    world_.history.committed(decisions_.records);
  }
  store_.drop_prepared();
  const Decisions failed = std::exchange(decisions_, {});
  busy_ = false;
  if (world_.mutation == Mutation::keep_state_after_failure) {
    perform(failed.actions);
    return;
  }
  inbox_.clear();
  const bool superseded = state_->superseded;
  for (const auto& [token, waiter] : std::exchange(waiters_, {})) waiter.unavailable();
  reload(superseded);
}

void Host::perform(const std::vector<HostAction>& actions) {
  const std::uint64_t life = life_;
  for (const auto& action : actions) {
    if (life != life_) return;
    if (world_.fault(world_.profile.host_step_crash / 2)) return crash();
    std::visit(
        [&](const auto& what) {
          using What = std::decay_t<decltype(what)>;
          if constexpr (std::is_same_v<What, host_action::Note>) {
            world_.trace.say("host       ", what.text);
          } else if constexpr (!std::is_same_v<What, host_action::TasksChanged>) {
            answer(what.token, action);
          }
        },
        action);
  }
}

void Host::answer(ReplyToken token, const HostAction& action) {
  const auto waiter = waiters_.find(token.value);
  if (waiter == waiters_.end()) {
    world_.history.violation("promise 1: the host answers somebody twice, or nobody");
    return;
  }
  const Waiter waiting = std::move(waiter->second);
  waiters_.erase(waiter);
  waiting.answered(action);
}

}  // namespace hakuriver::simulation
