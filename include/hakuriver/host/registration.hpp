// How a node comes and goes: it says hello, begins a run by listing what it holds, and says goodbye or falls silent.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "hakuriver/host/old_copy.hpp"
#include "hakuriver/host/reports.hpp"

namespace hakuriver {
inline namespace v1 {

namespace detail {

inline std::uint64_t live_on(const HostState& state, NodeIndex index) {
  return static_cast<std::uint64_t>(std::count_if(state.live.begin(), state.live.end(),
                                                  [index](const auto& each) { return each.second.node == index; }));
}

inline std::vector<TaskId> tasks_on(const HostState& state, NodeIndex index) {
  std::vector<TaskId> tasks;
  for (const auto& [id, task] : state.live) {
    if (task.node == index) tasks.push_back(id);
  }
  std::sort(tasks.begin(), tasks.end());
  return tasks;
}

// Empty if this runner may use the name; else why not.
inline std::string why_name_taken(const HostState& state, const std::string& name, const std::string& runner_id) {
  const auto found = state.node_index.find(name);
  if (found == state.node_index.end()) return {};
  const NodeState& node = state.nodes[found->second];
  if (node.runner_id == runner_id || node.presence == Presence::gone) return {};
  if (node.presence == Presence::online) return "another runner that is online has the name '" + name + "'";
  const std::uint64_t held = live_on(state, found->second);
  if (held == 0) return {};
  return "another runner had the name '" + name + "' and holds " + std::to_string(held) +
         " unfinished tasks: choose another name, or forget that node";
}

inline NodeState& node_named(HostState& state, const std::string& name) {
  const auto [entry, is_new] = state.node_index.try_emplace(name, static_cast<NodeIndex>(state.nodes.size()));
  if (is_new) {
    state.nodes.emplace_back();
    state.nodes.back().name = name;
  }
  return state.nodes[entry->second];
}

}  // namespace detail

inline void take_hello(HostTurn& turn, const host_event::SayHello& event) {
  HostState& state = turn.state;
  const Hello& hello = event.message;
  const auto refuse = [&](Refusal why, std::string message) {
    turn.out.actions.push_back(host_action::AnswerHello{event.token, NodeRefusal{why, std::move(message)}});
  };
  if (hello.version != kNodeProtocolVersion) {
    refuse(Refusal::version, "this host speaks version " + std::to_string(kNodeProtocolVersion) +
                                 " of the node protocol, the runner " + std::to_string(hello.version));
    return;
  }
  std::string taken = detail::why_name_taken(state, hello.node, hello.runner_id);
  if (!taken.empty()) {
    refuse(Refusal::name_taken, std::move(taken));
    return;
  }
  if (state.epoch < hello.epoch_seen) {
    detail::stop_ordering(turn, hello.node, "has obeyed a later start of this cluster's host");
  }
  if (state.superseded) {
    turn.out.actions.push_back(host_action::AnswerHello{event.token, detail::old_copy()});
    return;
  }
  NodeState& node = detail::node_named(state, hello.node);
  if (node.runner_id.empty()) {
    node.runner_id = hello.runner_id;
    node.presence = Presence::gone;
  }
  node.challenge = ++state.last_challenge;
  turn.out.actions.push_back(
      host_action::AnswerHello{event.token, Introduction{state.cluster_id, state.epoch, node.challenge}});
}

namespace detail {

inline std::uint32_t begin_session(NodeState& node, const Session& session) {
  const auto known = std::find(node.sessions.begin(), node.sessions.end(), session);
  if (known == node.sessions.end()) {
    node.sessions.push_back(session);
  } else if (std::next(known) != node.sessions.end()) {
    // The present session is the last one; a known one that comes back keeps its meaning under a second index.
    node.sessions.push_back(session);
  }
  return static_cast<std::uint32_t>(node.sessions.size() - 1);
}

// A live task of an earlier run that the node does not list.
inline void judge_absent(HostTurn& turn, NodeState& node, TaskId id) {
  const LiveTask& task = turn.state.live.at(id);
  const Session ordered_in = node.sessions[task.session];
  const Session& present = node.sessions.back();
  if (ordered_in == present) {
    give_back(turn, id, task.attempt, task.faults, "its order did not reach the node");
  } else if (ordered_in.boot_id != present.boot_id) {
    EndRecord end;
    end.started_at = task.started_at;
    end.ended_at = turn.now.utc;
    end.message = "node restarted";
    finish(turn, id, TaskEvent::node_forgotten, std::move(end));
  } else {
    lose(turn, id);
    node.holds_unlisted = true;
  }
}

inline void adopt(HostTurn& turn, NodeState& node, const KeptAttempt& kept) {
  const TaskId id = kept.key.task;
  take_start(turn, node, id, kept, kept.state == KeptState::paused ? TaskEvent::paused : TaskEvent::started);
  LiveTask& task = turn.state.live.at(id);
  if (kept.state == KeptState::running) {
    change_status(turn, turn.state.batches.at(task.batch), id, TaskEvent::resumed);
  }
  task.session = static_cast<std::uint32_t>(node.sessions.size() - 1);
  if (task.kill_requested) order_about(turn, OrderKind::kill, id, task);
  if (task.pause_requested && kept.state == KeptState::running) order_about(turn, OrderKind::pause, id, task);
}

// An attempt that the node lists and that is not a live task of it.
inline void judge_stray(HostTurn& turn, NodeState& node, const KeptAttempt& kept) {
  HostState& state = turn.state;
  const auto index = static_cast<NodeIndex>(&node - state.nodes.data());
  const Batch* batch = find_batch(state, kept.key.task);
  if (batch == nullptr) {
    turn.out.actions.push_back(host_action::Note{"node '" + node.name + "' runs task " + to_string(kept.key.task) +
                                                 ", which this host does not know; it is left alone"});
    return;
  }
  add_order(turn, index, {0, OrderKind::kill, batch->id, kept.key.task, 1, kept.key.attempt, std::nullopt});
}

// A lost task of which nobody knew where it is turns out to be here, running or ended. One that never started here may
// run elsewhere as its next attempt: it stays lost.
inline void claim_lost(HostState& state, NodeIndex index, const std::vector<KeptAttempt>& attempts) {
  std::map<TaskId, Attempt> here;
  for (const auto& kept : attempts) {
    const auto live = state.live.find(kept.key.task);
    const bool never_started = kept.state == KeptState::ended && kept.outcome.kind == OutcomeKind::never_started;
    if (live == state.live.end() || live->second.node != kNoNode || never_started) continue;
    Attempt& last = here[kept.key.task];
    last = std::max(last, kept.key.attempt);
  }
  for (const auto& [id, attempt] : here) {
    LiveTask& task = state.live.at(id);
    task.node = index;
    task.attempt = attempt;
    task.session = static_cast<std::uint32_t>(state.nodes[index].sessions.size() - 1);
    task.reserved = false;
    hold_place(state, task);
  }
}

inline void take_listing(HostTurn& turn, NodeState& node, const std::vector<KeptAttempt>& attempts) {
  HostState& state = turn.state;
  const auto index = static_cast<NodeIndex>(&node - state.nodes.data());
  std::map<AttemptKey, const KeptAttempt*> listed;
  for (const auto& kept : attempts) listed.emplace(kept.key, &kept);
  claim_lost(state, index, attempts);
  for (const TaskId id : tasks_on(state, index)) {
    const LiveTask& task = state.live.at(id);
    const auto found = listed.find({id, task.attempt});
    if (found == listed.end()) {
      judge_absent(turn, node, id);
    } else if (found->second->state != KeptState::ended) {
      adopt(turn, node, *found->second);
    }
  }
  for (const auto& kept : attempts) {
    if (kept.state == KeptState::ended) {
      take_node_event(turn, node, {NodeEventKind::ended, kept});
      continue;
    }
    const auto live = state.live.find(kept.key.task);
    const bool held =
        live != state.live.end() && live->second.node == index && live->second.attempt == kept.key.attempt;
    if (!held) judge_stray(turn, node, kept);
  }
}

inline void begin_run(HostTurn& turn, NodeState& node, const Registration& message) {
  if (node.poll.value != 0) {
    turn.out.actions.push_back(host_action::AnswerPoll{node.poll, register_again(node.name)});
    node.poll = {};
  }
  const bool same_session = !node.sessions.empty() && node.sessions.back() == message.session;
  begin_session(node, message.session);
  node.runner_id = message.runner_id;
  node.facts = message.facts;
  node.run = message.run;
  if (!same_session) node.confirmed = message.confirmed;
  node.challenge = 0;
  node.registered = true;
  node.holds_unlisted = false;
  node.presence = Presence::online;
  node.events_seen = 0;
  node.next_sequence = 1;
  node.sent = 0;
  node.outbox.clear();
  node.ahead.clear();
  node.ends_per_second = 0;
  node.ends_in_window = 0;
  node.window_start = turn.now.monotonic;
  node.last_start = turn.now.monotonic;
  hear_from(turn, node);
}

}  // namespace detail

inline void take_registration(HostTurn& turn, const host_event::Register& event) {
  const Registration& message = event.message;
  NodeState* node = detail::find_node(turn.state, message.node);
  const bool known = node != nullptr && message.challenge != 0 && node->challenge == message.challenge &&
                     message.epoch == turn.state.epoch;
  if (!known) {
    turn.out.actions.push_back(host_action::AnswerRegistration{event.token, detail::register_again(message.node)});
    return;
  }
  std::string taken = detail::why_name_taken(turn.state, message.node, message.runner_id);
  if (!taken.empty()) {
    turn.out.actions.push_back(
        host_action::AnswerRegistration{event.token, NodeRefusal{Refusal::name_taken, std::move(taken)}});
    return;
  }
  const std::string proof = detail::why_old_copy(turn.state, turn.state.node_index.at(message.node), message);
  if (!proof.empty()) detail::stop_ordering(turn, message.node, proof);
  if (turn.state.superseded) {
    turn.out.actions.push_back(host_action::AnswerRegistration{event.token, detail::old_copy()});
    return;
  }
  if (node->presence != Presence::online) {
    turn.out.actions.push_back(host_action::Note{"node '" + node->name + "' is online"});
  }
  detail::begin_run(turn, *node, message);
  detail::take_listing(turn, *node, message.attempts);
  turn.out.records.emplace_back(NodeRecord{node->name, node->runner_id, node->sessions.back(), node->run,
                                           node->confirmed, node->drained, node->facts});
  turn.out.actions.push_back(host_action::AnswerRegistration{
      event.token, RegistrationAnswer{node->confirmed, std::chrono::duration_cast<std::chrono::milliseconds>(
                                                           turn.state.policy.report_interval)}});
}

namespace detail {

// What the agent that stops did not take in it never will; what it took in and had not started it gave back before.
inline void give_back_untaken(HostTurn& turn, const NodeState& node, std::uint64_t applied) {
  const auto index = static_cast<NodeIndex>(&node - turn.state.nodes.data());
  for (const Order& order : node.outbox) {
    if (order.kind != OrderKind::start || order.sequence <= applied) continue;
    for (std::uint64_t i = 0; i < order.count; ++i) {
      const auto live = turn.state.live.find(advance(order.first, i));
      if (live == turn.state.live.end() || live->second.node != index || live->second.attempt != order.attempt)
        continue;
      const TaskStatus status = live->second.status;
      if (status != TaskStatus::assigning && status != TaskStatus::pending) continue;
      give_back(turn, live->first, order.attempt, live->second.faults, "the runner stopped before it took the order");
    }
  }
}

}  // namespace detail

// The agent stops; its tasks go on. It keeps its place until its deadline, for it may be back in a moment.
inline void take_goodbye(HostTurn& turn, const host_event::SayGoodbye& event) {
  NodeState* node = detail::node_of_run(turn.state, event.message.node, event.message.epoch, event.message.run);
  if (node != nullptr) {
    detail::hear_from(turn, *node);
    node->presence = Presence::leaving;
    node->registered = false;
    detail::give_back_untaken(turn, *node, event.message.applied);
    if (node->poll.value != 0) {
      turn.out.actions.push_back(host_action::AnswerPoll{node->poll, detail::register_again(node->name)});
      node->poll = {};
    }
    turn.out.actions.push_back(host_action::Note{"node '" + node->name + "' says goodbye"});
  }
  turn.out.actions.push_back(host_action::AnswerGoodbye{event.token, Unit{}});
}

}  // namespace v1
}  // namespace hakuriver
