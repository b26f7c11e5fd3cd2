// The host's brain: what it is told goes in, what it decides comes out. No clock, no I/O, no thread, no randomness.
//
//   Decisions decisions;
//   for (const auto& event : whatever_waits) handle(state, event, decisions);
//   settle(state, now, decisions);   // places tasks, hands out orders
//   commit(decisions.records), then carry out decisions.actions in order
#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "hakuriver/host/commands.hpp"
#include "hakuriver/host/placement.hpp"
#include "hakuriver/host/submission.hpp"

namespace hakuriver {
inline namespace v1 {

namespace detail {

inline void fall_silent(HostTurn& turn, NodeState& node) {
  const auto index = static_cast<NodeIndex>(&node - turn.state.nodes.data());
  node.presence = Presence::silent;
  node.registered = false;
  if (node.poll.value != 0) {
    turn.out.actions.push_back(host_action::AnswerPoll{node.poll, register_again(node.name)});
    node.poll = {};
  }
  std::uint64_t lost = 0;
  for (const TaskId id : tasks_on(turn.state, index)) {
    lose(turn, id);
    ++lost;
  }
  node.ahead.clear();
  node.outbox.clear();
  turn.out.actions.push_back(
      host_action::Note{"node '" + node.name + "' is silent, " + std::to_string(lost) + " tasks are lost"});
}

// A tick that comes late was asleep together with every deadline: they move by as much.
inline void move_deadlines(HostTurn& turn) {
  constexpr std::chrono::seconds kExpected{5};
  HostState& state = turn.state;
  const auto since = turn.now.monotonic - state.last_tick;
  if (state.last_tick.microseconds != 0 && since > kExpected) {
    for (auto& node : state.nodes) node.deadline = node.deadline + (since - kExpected);
  }
  state.last_tick = turn.now.monotonic;
}

inline void watch_node(HostTurn& turn, NodeState& node) {
  const MonotonicTime now = turn.now.monotonic;
  if (node.presence == Presence::gone) return;
  if (node.presence == Presence::silent) {
    const auto& after = turn.state.policy.forget_after;
    if (after && node.deadline + *after < now) forget_node(turn, node);
    return;
  }
  if (node.deadline < now) {
    fall_silent(turn, node);
    return;
  }
  if (node.poll.value != 0 && now - node.poll_since > turn.state.policy.poll_hold) {
    turn.out.actions.push_back(host_action::AnswerPoll{node.poll, OrderBundle{turn.state.epoch, node.run, {}, {}}});
    node.poll = {};
  }
  while (!node.ahead.empty()) {
    const auto live = turn.state.live.find(node.ahead.front());
    const auto index = static_cast<NodeIndex>(&node - turn.state.nodes.data());
    if (live != turn.state.live.end() && live->second.node == index && !live->second.reserved) break;
    node.ahead.pop_front();
  }
  const bool stuck = !node.ahead.empty() && now - node.last_start > std::chrono::seconds(1);
  if (stuck) withdraw_ahead(turn, node);
  measure_rate(turn, node);
}

// Finished batches leave when they are older than the policy keeps them: whole ones, and few in one turn, for the store
// forgets five tasks in a microsecond.
inline void purge_old(HostTurn& turn) {
  constexpr std::uint64_t kMostTasks = 50'000;  // in one turn, but for the last batch
  HostState& state = turn.state;
  std::uint64_t purged = 0;
  while (purged < kMostTasks && !state.finished.empty() &&
         state.finished.front().first + state.policy.keep_finished < turn.now.utc) {
    const auto batch = state.batches.find(state.finished.front().second);
    state.finished.pop_front();
    if (batch == state.batches.end() || unfinished(*batch) != 0) continue;
    purged += batch->count;
    const auto submission = state.submissions.find(submission_key(batch->submission_id, batch->id));
    if (submission != state.submissions.end()) state.submissions.erase(submission);
    turn.out.records.emplace_back(PurgeRecord{batch->id});
    state.batches.erase(batch);
  }
}

inline void take_tick(HostTurn& turn) {
  move_deadlines(turn);
  for (auto& node : turn.state.nodes) watch_node(turn, node);
  purge_old(turn);
}

template <class... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};
template <class... Functions>
Overloaded(Functions...) -> Overloaded<Functions...>;

}  // namespace detail

// Takes one event. Follow one or several with settle() and the same `decisions`.
inline void handle(HostState& state, const HostEvent& event, Decisions& decisions) {
  HostTurn turn{state, event.now, decisions};
  std::visit(detail::Overloaded{
                 [&](const host_event::Submit& what) { take_submission(turn, what); },
                 [&](const host_event::SayHello& what) { take_hello(turn, what); },
                 [&](const host_event::Register& what) { take_registration(turn, what); },
                 [&](const host_event::AskOrders& what) { take_poll(turn, what); },
                 [&](const host_event::TakeReport& what) { take_report(turn, what); },
                 [&](const host_event::SayGoodbye& what) { take_goodbye(turn, what); },
                 [&](const host_event::Control& what) { take_command(turn, what); },
                 [&](const host_event::ControlNode& what) { take_node_command(turn, what); },
                 [&](const host_event::Tick&) { detail::take_tick(turn); },
             },
             event.what);
}

// Places waiting tasks and hands the orders to the nodes that wait for them.
inline void settle(HostState& state, Now now, Decisions& decisions) {
  HostTurn turn{state, now, decisions};
  place_waiting(turn);
  answer_polls(turn);
}

// One event and its consequences.
inline void transition(HostState& state, const HostEvent& event, Decisions& decisions) {
  handle(state, event, decisions);
  settle(state, event.now, decisions);
}

}  // namespace v1
}  // namespace hakuriver
