// What people ask of tasks and nodes: kill, pause, resume; drain, undrain, forget.
//
// A kill is a wish that stays until it is confirmed. Asked of a batch, a command reaches every task of it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "hakuriver/host/registration.hpp"

namespace hakuriver {
inline namespace v1 {

namespace detail {

struct Addressed {
  Batch* batch = nullptr;  // null: there is no such task or batch
  TaskRange tasks;
};

inline Addressed find_addressed(HostState& state, std::uint64_t id) {
  const auto whole = state.batches.find(BatchId{id});
  if (whole != state.batches.end()) return {&*whole, {task_of(BatchId{id}, 0), whole->count}};
  return {find_batch(state, TaskId{id}), {TaskId{id}, 1}};
}

// The live tasks of a range, by id.
inline std::vector<TaskId> live_in(const HostState& state, TaskRange range) {
  std::vector<TaskId> tasks;
  if (range.count == 1) {
    if (state.live.count(range.first) != 0) tasks.push_back(range.first);
    return tasks;
  }
  for (const auto& [id, task] : state.live) {
    if (id.value - range.first.value < range.count) tasks.push_back(id);
  }
  std::sort(tasks.begin(), tasks.end());
  return tasks;
}

inline std::uint64_t kill_all_waiting(HostTurn& turn, Batch& batch, TaskRange range) {
  std::uint64_t killed = 0;
  const auto take = [&](ShapeIndex shape, TaskRange part) {
    for (const TaskRange& taken : take_waiting(turn.state, shape, part)) {
      kill_waiting(turn, batch, taken, "killed before it started");
      killed += taken.count;
    }
  };
  if (batch.shapes.size() == 1) {
    take(batch.shapes[0], range);
  } else {
    for (std::uint64_t i = 0; i < range.count && unfinished(batch) > 0; ++i) {
      const TaskId task = advance(range.first, i);
      take(shape_of(batch, task), {task, 1});
    }
  }
  return killed;
}

// Asks for the end of a live task. True if it was ended at once.
inline bool kill_live(HostTurn& turn, TaskId id) {
  LiveTask& task = turn.state.live.at(id);
  if (task.node == kNoNode) {
    EndRecord end;
    end.ended_at = turn.now.utc;
    end.message = "given up by request; nobody knows where it ran";
    finish(turn, id, TaskEvent::node_forgotten, std::move(end));
    return true;
  }
  if (!task.kill_requested) turn.out.records.emplace_back(KillRecord{id});
  task.kill_requested = true;
  order_about(turn, OrderKind::kill, id, task);
  return false;
}

inline CommandAnswer kill(HostTurn& turn, Batch& batch, TaskRange range) {
  CommandAnswer answer;
  answer.done = kill_all_waiting(turn, batch, range);
  for (const TaskId id : live_in(turn.state, range)) {
    if (kill_live(turn, id)) {
      ++answer.done;
    } else {
      ++answer.asked;
    }
  }
  return answer;
}

// What was ordered ahead of a place is taken back, and ends when it comes back before it has started.
inline CommandAnswer kill_pending(HostTurn& turn, Batch& batch, TaskRange range) {
  CommandAnswer answer;
  answer.done = kill_all_waiting(turn, batch, range);
  for (const TaskId id : live_in(turn.state, range)) {
    LiveTask& task = turn.state.live.at(id);
    if (task.status != TaskStatus::pending) continue;
    task.ends_if_returned = true;
    if (!std::exchange(task.withdrawing, true)) order_about(turn, OrderKind::withdraw, id, task);
    ++answer.asked;
  }
  return answer;
}

inline CommandAnswer pause_or_resume(HostTurn& turn, TaskRange range, host_event::Command command) {
  const bool pause = command == host_event::Command::pause;
  CommandAnswer answer;
  for (const TaskId id : live_in(turn.state, range)) {
    LiveTask& task = turn.state.live.at(id);
    if (task.status != (pause ? TaskStatus::running : TaskStatus::paused)) continue;
    task.pause_requested = pause;
    order_about(turn, pause ? OrderKind::pause : OrderKind::resume, id, task);
    ++answer.asked;
  }
  return answer;
}

inline std::string why_conflict(const Addressed& addressed, host_event::Command command) {
  const bool one = addressed.tasks.count == 1 && addressed.tasks.first.value != addressed.batch->id.value;
  const std::string is = one ? "task " + to_string(addressed.tasks.first) + " is " +
                                   std::string(to_string(status_of(*addressed.batch, addressed.tasks.first)))
                             : "no task of batch " + to_string(addressed.batch->id) + " is";
  switch (command) {
    case host_event::Command::kill:
      return is + (one ? ": there is nothing to kill" : " unfinished");
    case host_event::Command::kill_pending:
      return is + (one ? ": it does not wait" : " waiting");
    case host_event::Command::pause:
      return is + (one ? ": only a running task can be paused" : " running");
    case host_event::Command::resume:
      return is + (one ? ": only a paused task can be resumed" : " paused");
  }
  return is;
}

inline CommandAnswer obey(HostTurn& turn, const Addressed& addressed, host_event::Command command) {
  switch (command) {
    case host_event::Command::kill:
      return kill(turn, *addressed.batch, addressed.tasks);
    case host_event::Command::kill_pending:
      return kill_pending(turn, *addressed.batch, addressed.tasks);
    case host_event::Command::pause:
    case host_event::Command::resume:
      break;
  }
  return pause_or_resume(turn, addressed.tasks, command);
}

}  // namespace detail

inline void take_command(HostTurn& turn, const host_event::Control& event) {
  const detail::Addressed addressed = detail::find_addressed(turn.state, event.id);
  const auto answer = [&](Result<CommandAnswer> what) {
    turn.out.actions.push_back(host_action::AnswerCommand{event.token, std::move(what)});
  };
  if (turn.state.superseded) {
    answer(detail::nothing_from_old_copy());
    return;
  }
  if (addressed.batch == nullptr) {
    answer(Error{Errc::not_found, "there is no task or batch " + std::to_string(event.id)});
    return;
  }
  const CommandAnswer reached = detail::obey(turn, addressed, event.command);
  if (reached.done + reached.asked == 0) {
    answer(Error{Errc::conflict, detail::why_conflict(addressed, event.command)});
    return;
  }
  answer(reached);
}

namespace detail {

// Asks for what was ordered ahead and has not started.
inline void withdraw_ahead(HostTurn& turn, NodeState& node) {
  for (const TaskId id : node.ahead) {
    const auto live = turn.state.live.find(id);
    const auto index = static_cast<NodeIndex>(&node - turn.state.nodes.data());
    if (live == turn.state.live.end() || live->second.node != index || live->second.reserved) continue;
    if (live->second.withdrawing) continue;
    live->second.withdrawing = true;
    order_about(turn, OrderKind::withdraw, id, live->second);
  }
  node.ends_per_second = 0;
}

inline void forget_node(HostTurn& turn, NodeState& node) {
  const auto index = static_cast<NodeIndex>(&node - turn.state.nodes.data());
  for (const TaskId id : tasks_on(turn.state, index)) {
    EndRecord end;
    end.started_at = turn.state.live.at(id).started_at;
    end.ended_at = turn.now.utc;
    end.message = "node forgotten";
    finish(turn, id, TaskEvent::node_forgotten, std::move(end));
  }
  if (node.poll.value != 0) {
    turn.out.actions.push_back(host_action::AnswerPoll{node.poll, register_again(node.name)});
    node.poll = {};
  }
  node.presence = Presence::gone;
  node.registered = false;
  node.drained = false;
  node.challenge = 0;
  node.ahead.clear();
  turn.out.records.emplace_back(ForgetNodeRecord{node.name});
  turn.out.actions.push_back(host_action::Note{"node '" + node.name + "' is forgotten"});
}

}  // namespace detail

inline void take_node_command(HostTurn& turn, const host_event::ControlNode& event) {
  NodeState* node = detail::find_node(turn.state, event.node);
  const auto answer = [&](Result<CommandAnswer> what) {
    turn.out.actions.push_back(host_action::AnswerCommand{event.token, std::move(what)});
  };
  if (turn.state.superseded) {
    answer(detail::nothing_from_old_copy());
    return;
  }
  if (node == nullptr || node->presence == Presence::gone) {
    answer(Error{Errc::not_found, "there is no node '" + event.node + "'"});
    return;
  }
  if (event.command == host_event::NodeCommand::forget) {
    if (node->presence == Presence::online) {
      answer(Error{Errc::conflict, "node '" + event.node + "' is online: stop its runner first"});
      return;
    }
    detail::forget_node(turn, *node);
  } else {
    node->drained = event.command == host_event::NodeCommand::drain;
    if (node->drained) detail::withdraw_ahead(turn, *node);
    const Session session = node->sessions.empty() ? Session{} : node->sessions.back();
    turn.out.records.emplace_back(
        NodeRecord{node->name, node->runner_id, session, node->run, node->confirmed, node->drained, node->facts});
  }
  answer(CommandAnswer{1, 0});
}

}  // namespace v1
}  // namespace hakuriver
