#include "simulation/history.hpp"

#include <iterator>
#include <variant>

#include "hakuriver/host/tasks.hpp"

namespace hakuriver::simulation {
namespace {

std::string name_of(AttemptKey key) {
  return "attempt " + std::to_string(key.attempt.value) + " of task " + to_string(key.task);
}

std::string text_of(const Outcome& outcome) {
  static constexpr std::string_view kKinds[] = {"exited", "signaled", "oom_killed", "never_started", "unknown"};
  return std::string(kKinds[static_cast<std::size_t>(outcome.kind)]) + " " + std::to_string(outcome.value);
}

}  // namespace

void History::violation(const std::string& what) {
  violations_.push_back(what);
  trace_.say("VIOLATION  ", what);
  if (on_violation) on_violation();
}

void History::restored(const std::vector<StoreRecord>& copy) {
  restored_ = true;
  ordered_before_restore_ = ordered_;
  finals_.clear();
  for (auto& [key, process] : processes_) process.before_restore = true;
  for (const auto& record : copy) {
    const auto* end = std::get_if<EndRecord>(&record);
    if (end == nullptr) continue;
    for (std::uint64_t i = 0; i < end->count; ++i) finals_[TaskId{end->first.value + i}] = end->status;
  }
}

void History::acknowledged(const std::string& submission_id, const Accepted& answer) {
  if (restored_) return;
  const auto [known, is_new] = acknowledged_.try_emplace(submission_id, answer);
  if (!is_new && !(known->second == answer)) {
    violation("promise 1: submission '" + submission_id + "' was answered with batch " +
              to_string(known->second.batch) + " and then with batch " + to_string(answer.batch));
  }
}

void History::kill_asked(TaskId first, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) kill_asked_.insert(TaskId{first.value + i});
}

// No policy asks for another try of what has run, so a task runs once.
void History::executed(const std::string& node, AttemptKey key) {
  ++executions_;
  for_attempts(key.task, [&](AttemptKey other, const Process& process) {
    violation(std::string(process.alive ? "promise 4: " : "promise 2: ") + name_of(key) + " is executed on node '" +
              node + "'; " + name_of(other) + (process.alive ? " runs on '" : " ran on '") + process.node + "'");
  });
  const auto final_status = finals_.find(key.task);
  if (final_status != finals_.end() && !forgotten(key.task)) {
    violation("promise 2: " + name_of(key) + " is executed though the task is " +
              std::string(to_string(final_status->second)));
  }
  Process process;
  process.node = node;
  processes_.insert_or_assign(key, process);
  check_place(node, key);
}

// On one of its targets, and not beside more of its batch than were asked for.
void History::check_place(const std::string& node, AttemptKey key) {
  const auto after = batches_.upper_bound(BatchId{key.task.value});
  if (after == batches_.begin() || restored_) return;
  const BatchRecord& batch = std::prev(after)->second;
  const auto own = target_of(batch, key.task.value - task_of(batch.id, 0).value);
  bool is_target = own ? own->node == node : batch.targets.empty();
  for (const auto& target : batch.targets) is_target = is_target || (!own && target.node == node);
  if (!is_target) violation("placement: " + name_of(key) + " is executed on node '" + node + "', no target of it");
  std::uint64_t running = 0;
  for (auto at = processes_.lower_bound({task_of(batch.id, 0), Attempt{0}});
       at != processes_.end() && at->first.task.value <= batch.id.value + batch.count; ++at) {
    running += at->second.alive && !forgotten(at->first.task) ? 1 : 0;
  }
  if (batch.spec->max_running == 0 || running <= batch.spec->max_running) return;
  violation("placement: batch " + to_string(batch.id) + " runs " + std::to_string(running) + " tasks at once, not " +
            std::to_string(batch.spec->max_running));
}

void History::gone(AttemptKey key, Outcome outcome) {
  Process& process = processes_.at(key);
  process.alive = false;
  process.outcome = outcome;
}

void History::unreadable(AttemptKey key) { unreadable_.insert(key); }

void History::machine_restarted(const std::string& node) { restarted_.insert(node); }

void History::committed(const std::vector<StoreRecord>& records) {
  for (const auto& record : records) {
    if (const auto* batch = std::get_if<BatchRecord>(&record)) {
      batches_.insert_or_assign(batch->id, *batch);
    } else if (const auto* order = std::get_if<OrderRecord>(&record)) {
      for (std::uint64_t i = 0; i < order->count; ++i) ordered_.insert(TaskId{order->first.value + i});
    } else if (const auto* end = std::get_if<EndRecord>(&record)) {
      for (std::uint64_t i = 0; i < end->count; ++i) check_end(*end, TaskId{end->first.value + i});
    } else if (const auto* back = std::get_if<ReturnRecord>(&record)) {
      for (std::uint64_t i = 0; i < back->count; ++i) check_return(*back, TaskId{back->first.value + i});
    }
  }
}

void History::check_end(const EndRecord& end, TaskId task) {
  const std::string name = "task " + to_string(task);
  trace_.say("host       ", name, " is ", to_string(end.status), " (", text_of(end.outcome), ") ", end.message);
  const auto [known, is_new] = finals_.try_emplace(task, end.status);
  if (!is_new) {
    violation("promise 5: " + name + " was " + std::string(to_string(known->second)) + " and then " +
              std::string(to_string(end.status)));
  }
  const bool given_up = restored_ && end.message.rfind("given up by request", 0) == 0;
  // Before a node has proved anything a host cannot know better of what was ordered after the copy was made.
  const bool misled =
      expects_old_copy() && ordered_before_restore_.count(task) != 0 && end.message == "killed before it started";
  if (given_up || misled || end.message == "node forgotten") forgotten_.insert(task);
  if (forgotten(task)) return;
  for_attempts(task, [&](AttemptKey key, const Process& process) {
    if (!process.alive) return;
    violation("promise 5: " + name + " is " + std::string(to_string(end.status)) + " while its attempt " +
              std::to_string(key.attempt.value) + " runs on node '" + process.node + "'");
  });
  check_outcome(end, {task, end.attempt}, name);
}

void History::check_outcome(const EndRecord& end, AttemptKey key, const std::string& name) {
  const auto process = processes_.find(key);
  const bool executed = process != processes_.end();
  const std::string said = name + " is " + std::string(to_string(end.status)) + " (" + text_of(end.outcome) + ")";
  if (end.status == TaskStatus::killed) {
    if (kill_asked_.count(key.task) == 0) violation("promise 5: " + said + " and nobody asked for that");
    return;
  }
  if (end.outcome.kind == OutcomeKind::unknown) {
    const bool restarted = end.message == "node restarted" && restarted_.count(end.node) != 0;
    if (!restarted && unreadable_.count(key) == 0) violation("promise 3: " + said + " but its status could be read");
    return;
  }
  if (end.outcome.kind == OutcomeKind::never_started) {
    if (executed || start_failures_[key.task] < 5) violation("promise 5: " + said + " without five faults of nodes");
    return;
  }
  if (!executed) {
    violation("promise 5: " + said + " but it never ran");
  } else if (process->second.outcome && !(*process->second.outcome == end.outcome)) {
    violation("promise 5: " + said + " but it really " + text_of(*process->second.outcome));
  }
  const bool well = end.outcome == Outcome{OutcomeKind::exited, 0};
  if (well != (end.status == TaskStatus::completed)) violation("promise 5: " + said);
}

// What waits again under the same attempt has never run, and what waits under a new one runs no more.
void History::check_return(const ReturnRecord& record, TaskId task) {
  trace_.say("host       task ", task.value, " waits again as attempt ", record.attempt.value, ": ", record.reason);
  for_attempts(task, [&](AttemptKey key, const Process& process) {
    if (forgotten(task)) return;
    if (process.alive) violation("promise 4: " + name_of(key) + " runs and the task waits again: " + record.reason);
    if (key.attempt == record.attempt) violation("promise 2: " + name_of(key) + " has run and is to run again");
  });
}

void History::check_submissions(const HostState& state) {
  if (restored_) return;
  for (const auto& [submission, answer] : acknowledged_) {
    const auto batch = state.batches.find(answer.batch);
    if (batch == state.batches.end() || batch->count != answer.count) {
      violation("promise 1: submission '" + submission + "' was acknowledged as batch " + to_string(answer.batch) +
                " and is not there");
    }
  }
  std::map<std::string, BatchId> seen;
  for (const Batch& batch : state.batches) {
    if (batch.submission_id.empty()) continue;
    const auto [other, is_new] = seen.try_emplace(batch.submission_id, batch.id);
    if (!is_new) {
      violation("promise 1: submission '" + batch.submission_id + "' is there twice, as batch " +
                to_string(other->second) + " and as batch " + to_string(batch.id));
    }
  }
}

void History::ended(const HostState& state) {
  check_submissions(state);
  for (const Batch& batch : state.batches) {
    for (std::uint64_t i = 0; i < batch.count; ++i) {
      const TaskStatus status = status_of(batch, task_of(batch.id, i));
      if (is_final(status)) continue;
      violation("liveness: task " + to_string(task_of(batch.id, i)) + " is still " + std::string(to_string(status)) +
                " long after the last fault");
      return;
    }
  }
}

}  // namespace hakuriver::simulation
