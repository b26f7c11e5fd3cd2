// The process trees of the attempts: signals to all of a tree, what is left when its main process ends, and the proof
// that nothing is left.
//
// An attempt's processes are: the members of its main process's session, the descendants of that process, and children
// that the keeper adopted and that belong to it (and their descendants). An adopted child belongs to the attempt whose
// session it is in, or which its environment names, or to the only attempt there is. When a main process ends, whatever
// it leaves behind hangs below a child of the keeper, because the keeper is a subreaper: no other children than main
// processes is the cheap proof that nothing is left. A main process is reaped last, so that its id, which is the
// session's, is not given to anybody else before.
//
// Where an attempt has a cgroup, all that lives in it belongs to the attempt as well, it is paused by the freezer, and
// that the cgroup could be removed is part of the proof that nothing is left.
//
// Where an attempt has a launcher's program, that one signals what runs elsewhere; the main process is its client, and
// the attempt is over when the launcher has finished.
//
// Attempts of an earlier keeper are not children of this one: their processes are found by reading all of /proc.
#pragma once

#include <sys/resource.h>

#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "hakuriver/time.hpp"
#include "keeper/ledger.hpp"
#include "keeper/proc.hpp"

namespace hakuriver::keeper {

class Trees {
 public:
  explicit Trees(Ledger& ledger) : ledger_(ledger) {}

  // The main process with this id ended; it is not reaped yet where it is ours.
  void main_ended(LiveAttempt& attempt);

  // Some child of the keeper changed.
  void children_changed() { look_at_children_ = true; }

  void ask(LiveAttempt& attempt, TaskSignal signal, std::chrono::milliseconds grace);

  // An attempt of an earlier keeper, whose main process may have ended.
  void take_up(LiveAttempt& attempt);

  // Of an attempt with a time limit that has been started.
  void watch_limit(const LiveAttempt& attempt);

  // Takes what a launching program told; `is_over`: its process has ended.
  void read_report(LiveAttempt& attempt, bool is_over);

  // Attempts whose launcher is wanted for something; whoever asks it takes them away.
  std::vector<AttemptKey>& controlled() { return controlled_; }
  // A child that is no attempt's, and waited for by somebody else.
  void expect_child(pid_t pid, bool lives) { lives ? void(expected_.insert(pid)) : void(expected_.erase(pid)); }
  // The launcher has paused it, or lets it run again; and has nothing left of it.
  void held(LiveAttempt& attempt, bool paused);
  void finished(LiveAttempt& attempt);

  // Does what is due. Reads /proc at most a few times, for all attempts together.
  void work(MonotonicTime now);

  // When work() must be called next if nothing happens; earlier than now: at once.
  std::optional<MonotonicTime> next_deadline() const;

 private:
  void look_at_children();
  bool look_at_adopted(pid_t pid);
  void adopt(pid_t pid);
  LiveAttempt* owner_of(pid_t pid);
  void settle_ended(LiveAttempt& attempt);

  void on_timers(MonotonicTime now);
  void step(LiveAttempt& attempt, ProcessTable& table, MonotonicTime now);
  void freeze_or_thaw(LiveAttempt& attempt, ProcessTable& table);
  void end_leftovers(LiveAttempt& attempt, const std::vector<pid_t>& members, const ProcessTable& table,
                     MonotonicTime now);
  void ask_to_end(LiveAttempt& attempt, const std::vector<pid_t>& members, const ProcessTable& table);
  void kill_all(LiveAttempt& attempt, const std::vector<pid_t>& members, const ProcessTable& table, MonotonicTime now);
  bool leave_cgroup(LiveAttempt& attempt);
  std::vector<pid_t> members_of(const LiveAttempt& attempt, ProcessTable& table) const;
  bool send(const LiveAttempt& attempt, pid_t pid, int signal, const ProcessTable& table) const;
  void conclude(LiveAttempt& attempt);
  Usage own_usage_of(const rusage& used);

  void on_limits(MonotonicTime now);
  void reach_limit(LiveAttempt& attempt);
  void forget_limit(const LiveAttempt& attempt);
  void take_up_terms(LiveAttempt& attempt);
  void find_unit(LiveAttempt& attempt);
  void find_unit_in(LiveAttempt& attempt, const std::string& cgroup);
  void enter_unit(LiveAttempt& attempt);
  LiveAttempt* owner_by_unit(pid_t pid);
  void count(LiveAttempt& attempt);
  void want(LiveAttempt& attempt, Verb verb);
  bool leave_to_launcher(LiveAttempt& attempt, Todo todo, MonotonicTime now);
  void begin_finish(LiveAttempt& attempt);

  void plan(LiveAttempt& attempt, Todo todo);
  void set_timer(LiveAttempt& attempt, std::optional<MonotonicTime> time);

  Ledger& ledger_;
  long own_peak_ = 0;  // of the keeper's memory, in KiB, when it was last asked for
  bool look_at_children_ = false;
  std::set<AttemptKey> ended_mains_;  // ours, not concluded
  std::unordered_map<pid_t, std::optional<AttemptKey>> adopted_;
  std::vector<AttemptKey> planned_;
  std::set<std::pair<MonotonicTime, AttemptKey>> timers_;
  std::set<std::pair<MonotonicTime, AttemptKey>> limits_;  // of time
  std::set<AttemptKey> units_;                             // attempts in cgroups of somebody else's
  std::vector<AttemptKey> controlled_;
  std::set<pid_t> expected_;
};

}  // namespace hakuriver::keeper
