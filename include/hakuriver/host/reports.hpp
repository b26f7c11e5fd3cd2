// What a node says during a run: events of its tasks, in order, each taken once.
#pragma once

#include <algorithm>
#include <string>
#include <utility>

#include "hakuriver/host/tasks.hpp"

namespace hakuriver {
inline namespace v1 {

namespace detail {

inline NodeState* find_node(HostState& state, const std::string& name) {
  const auto found = state.node_index.find(name);
  return found == state.node_index.end() ? nullptr : &state.nodes[found->second];
}

// The node, if the message belongs to its present run in this host's epoch.
inline NodeState* node_of_run(HostState& state, const std::string& name, Epoch epoch, RunId run) {
  NodeState* node = find_node(state, name);
  const bool present = node != nullptr && node->registered && epoch == state.epoch && run == node->run;
  return present ? node : nullptr;
}

inline void hear_from(const HostTurn& turn, NodeState& node) {
  node.last_heard = turn.now.utc;
  node.deadline = turn.now.monotonic + turn.state.policy.silence;
}

inline NodeRefusal register_again(const std::string& name) {
  return {Refusal::register_again, "the host has no such run of node '" + name + "': register again"};
}

inline EndRecord end_of(const HostTurn& turn, const KeptAttempt& kept) {
  EndRecord end;
  end.outcome = kept.outcome;
  end.started_at = kept.started_at;
  end.ended_at = kept.started_at.microseconds == 0 ? turn.now.utc : kept.started_at + kept.ended_after;
  end.usage = kept.usage;
  end.stdout_bytes = kept.stdout_bytes;
  end.stderr_bytes = kept.stderr_bytes;
  end.message = kept.message;
  return end;
}

// The node could not start the task through no fault of the task's. `next` is what it is to be tried as.
inline void take_node_fault(HostTurn& turn, NodeState& node, TaskId id, const KeptAttempt& kept, Attempt next) {
  const LiveTask& task = turn.state.live.at(id);
  const std::uint32_t faults = task.faults + 1;
  node.faults_in_row = std::min<std::uint32_t>(node.faults_in_row + 1, 6);
  node.held_until = turn.now.monotonic + std::chrono::seconds(1LL << (node.faults_in_row - 1));
  const std::string reason = "node '" + node.name + "' could not start it: " + kept.message;
  if (faults >= turn.state.policy.max_faults && !task.kill_requested) {
    EndRecord end = end_of(turn, kept);
    end.message = reason + " (given up after " + std::to_string(faults) + " tries)";
    finish(turn, id, TaskEvent::exited_badly, std::move(end));
    return;
  }
  give_back(turn, id, next, faults, reason);
}

// The keeper has not heard of the attempt, so the task waits for the same one again.
inline void take_return(HostTurn& turn, NodeState& node, TaskId id, const KeptAttempt& kept) {
  const LiveTask task = turn.state.live.at(id);
  const std::int32_t error = kept.outcome.kind == OutcomeKind::never_started ? kept.outcome.value : 0;
  if (error == 0 || task.kill_requested || task.ends_if_returned) {
    give_back(turn, id, task.attempt, task.faults, kept.message);
  } else if (error == kNeverTakes) {
    finish(turn, id, TaskEvent::exited_badly, end_of(turn, kept));
  } else {
    take_node_fault(turn, node, id, kept, task.attempt);
  }
}

inline void take_end(HostTurn& turn, NodeState& node, TaskId id, const KeptAttempt& kept) {
  ++node.ends_in_window;
  const TaskEvent event = event_of(kept.outcome, kept.by_request);
  if (event == TaskEvent::returned) {
    take_node_fault(turn, node, id, kept, Attempt{kept.key.attempt.value + 1});
    return;
  }
  finish(turn, id, event, end_of(turn, kept));
}

inline void take_start(HostTurn& turn, NodeState& node, TaskId id, const KeptAttempt& kept, TaskEvent event) {
  LiveTask& task = turn.state.live.at(id);
  take_place(turn.state, task);
  task.withdrawing = false;
  task.started_at = kept.started_at;
  node.last_start = turn.now.monotonic;
  node.faults_in_row = 0;
  change_status(turn, turn.state.batches.at(task.batch), id, event);
}

}  // namespace detail

// One event of a node's task. What is about another attempt, another node or a task that is over is an echo.
inline void take_node_event(HostTurn& turn, NodeState& node, const NodeEvent& event) {
  const KeptAttempt& kept = event.attempt;
  const auto index = static_cast<NodeIndex>(&node - turn.state.nodes.data());
  const auto live = turn.state.live.find(kept.key.task);
  const bool is_echo =
      live == turn.state.live.end() || live->second.node != index || live->second.attempt != kept.key.attempt;
  if (!is_echo) {
    switch (event.kind) {
      case NodeEventKind::started:
        detail::take_start(turn, node, kept.key.task, kept, TaskEvent::started);
        break;
      case NodeEventKind::paused:
        detail::take_start(turn, node, kept.key.task, kept, TaskEvent::paused);
        break;
      case NodeEventKind::resumed:
        detail::take_start(turn, node, kept.key.task, kept, TaskEvent::resumed);
        break;
      case NodeEventKind::ended:
        detail::take_end(turn, node, kept.key.task, kept);
        break;
      case NodeEventKind::returned:
        detail::take_return(turn, node, kept.key.task, kept);
        break;
    }
  }
  if (event.kind == NodeEventKind::ended) node.confirmed = std::max(node.confirmed, kept.record);
}

namespace detail {

inline void measure_rate(const HostTurn& turn, NodeState& node) {
  const auto elapsed = turn.now.monotonic - node.window_start;
  if (elapsed < std::chrono::milliseconds(50)) return;
  const double seconds = std::chrono::duration<double>(elapsed).count();
  node.ends_per_second = static_cast<double>(node.ends_in_window) / seconds;
  node.ends_in_window = 0;
  node.window_start = turn.now.monotonic;
}

}  // namespace detail

inline void take_report(HostTurn& turn, const host_event::TakeReport& event) {
  const Report& report = event.message;
  NodeState* node = detail::node_of_run(turn.state, report.node, report.epoch, report.run);
  if (node == nullptr) {
    turn.out.actions.push_back(host_action::AnswerReport{event.token, detail::register_again(report.node)});
    return;
  }
  detail::hear_from(turn, *node);
  if (report.health) node->health = report.health;
  const std::uint64_t confirmed = node->confirmed;
  if (report.first_event <= node->events_seen + 1) {
    for (std::size_t i = 0; i < report.events.size(); ++i) {
      const std::uint64_t number = report.first_event + i;
      if (number <= node->events_seen) continue;
      take_node_event(turn, *node, report.events[i]);
      node->events_seen = number;
    }
  }
  if (node->confirmed != confirmed) turn.out.records.emplace_back(ConfirmRecord{node->name, node->confirmed});
  detail::measure_rate(turn, *node);
  turn.out.actions.push_back(host_action::AnswerReport{event.token, Receipt{node->events_seen, node->confirmed}});
}

inline void take_poll(HostTurn& turn, const host_event::AskOrders& event) {
  const Poll& poll = event.message;
  NodeState* node = detail::node_of_run(turn.state, poll.node, poll.epoch, poll.run);
  if (node == nullptr) {
    turn.out.actions.push_back(host_action::AnswerPoll{event.token, detail::register_again(poll.node)});
    return;
  }
  detail::hear_from(turn, *node);
  while (!node->outbox.empty() && node->outbox.front().sequence <= poll.received) node->outbox.pop_front();
  if (node->poll.value != 0) {
    turn.out.actions.push_back(host_action::AnswerPoll{node->poll, OrderBundle{turn.state.epoch, node->run, {}, {}}});
  }
  node->poll = event.token;
  node->poll_since = turn.now.monotonic;
}

}  // namespace v1
}  // namespace hakuriver
