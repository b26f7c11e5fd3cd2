// What really happened in a simulated cluster, and what of it breaks a promise.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "hakuriver/host/state.hpp"
#include "hakuriver/keeper.hpp"
#include "hakuriver/task_store.hpp"
#include "simulation/scheduler.hpp"

namespace hakuriver::simulation {

class History {
 public:
  explicit History(const Trace& trace) : trace_(trace) {}

  // What clients did and heard.
  void acknowledged(const std::string& submission_id, const Accepted& answer);
  void kill_asked(TaskId first, std::uint64_t count);

  // What processes did. An attempt is `unreadable` once nobody can know its exit status for certain.
  void executed(const std::string& node, AttemptKey key);
  void gone(AttemptKey key, Outcome outcome);
  void unreadable(AttemptKey key);
  void machine_restarted(const std::string& node);
  void start_failed(AttemptKey key) { ++start_failures_[key.task]; }

  // What the host committed, and what it knows after a start or a reload.
  void committed(const std::vector<StoreRecord>& records);
  void recovered(const HostState& state) { check_submissions(state); }
  // An older copy of the store was put back: what came later is not held against the host.
  void restored(const std::vector<StoreRecord>& copy);
  bool was_restored() const { return restored_; }
  // From here on the host knows that its store was a copy.
  void restore_accepted() { accepted_ = true; }
  bool expects_old_copy() const { return restored_ && !accepted_; }
  // Where the keeper does not list it either: the operator gave it up, or it is older than the copy and lost with it.
  bool nobody_counts(AttemptKey key) const { return forgotten(key.task) || processes_.at(key).before_restore; }
  void ended(const HostState& state);

  void violation(const std::string& what);
  const std::vector<std::string>& violations() const { return violations_; }

  std::uint64_t executions() const { return executions_; }
  std::uint64_t finals() const { return finals_.size(); }
  std::function<void()> on_violation;

 private:
  struct Process {
    std::string node;
    bool alive = true;
    bool before_restore = false;
    std::optional<Outcome> outcome;
  };

  template <class Look>
  void for_attempts(TaskId task, const Look& look) const {
    for (auto at = processes_.lower_bound({task, Attempt{0}}); at != processes_.end() && at->first.task == task; ++at) {
      look(at->first, at->second);
    }
  }
  void check_submissions(const HostState& state);
  void check_end(const EndRecord& end, TaskId task);
  void check_outcome(const EndRecord& end, AttemptKey key, const std::string& name);
  void check_return(const ReturnRecord& record, TaskId task);
  void check_place(const std::string& node, AttemptKey key);
  bool forgotten(TaskId task) const { return forgotten_.count(task) != 0; }

  const Trace& trace_;
  std::map<std::string, Accepted> acknowledged_;
  std::map<BatchId, BatchRecord> batches_;
  std::set<TaskId> kill_asked_;
  std::map<AttemptKey, Process> processes_;
  std::set<AttemptKey> unreadable_;
  std::map<TaskId, std::uint32_t> start_failures_;
  std::map<TaskId, TaskStatus> finals_;
  std::set<TaskId> ordered_;
  std::set<TaskId> ordered_before_restore_;
  std::set<std::string> restarted_;
  std::set<TaskId> forgotten_;  // ended by the operator's word, whatever their processes do
  bool restored_ = false;
  bool accepted_ = false;
  std::uint64_t executions_ = 0;
  std::vector<std::string> violations_;
};

}  // namespace hakuriver::simulation
