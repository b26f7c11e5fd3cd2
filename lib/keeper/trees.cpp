#include "keeper/trees.hpp"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "keeper/attempt_end.hpp"
#include "keeper/clocks.hpp"
#include "keeper/log.hpp"

namespace hakuriver::keeper {
namespace {

using namespace std::chrono_literals;

constexpr auto kLeftoverGrace = 2s;
constexpr auto kLookSoon = 2ms;
constexpr auto kLookEvery = 50ms;  // at processes that are not ours, which tell nobody when they end
constexpr auto kLookWithoutPidfd = 1s;
constexpr int kRoundsPerTurn = 8;
constexpr std::size_t kNamesKept = 5;
constexpr std::uint32_t kKillsBeforeTheLauncher = 4;  // which may kill what we may not, such as sudo

bool contains(const std::vector<pid_t>& pids, pid_t pid) {
  return std::find(pids.begin(), pids.end(), pid) != pids.end();
}

// A signal to a process that is not our child, and whose id may be another's by now.
bool send_checked(pid_t pid, int signal, std::uint64_t start_ticks) {
  const Descriptor pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd) return false;
  const auto stat = read_stat(pid);
  if (!stat || stat->start_ticks != start_ticks) return false;
  return ::syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0) == 0;
}

}  // namespace

void Trees::plan(LiveAttempt& attempt, Todo todo) {
  if (attempt.todo == Todo::nothing) planned_.push_back(attempt.key());
  attempt.todo = todo;
}

void Trees::set_timer(LiveAttempt& attempt, std::optional<MonotonicTime> time) {
  if (attempt.timer) timers_.erase({*attempt.timer, attempt.key()});
  attempt.timer = time;
  if (time) timers_.insert({*time, attempt.key()});
}

std::optional<MonotonicTime> Trees::next_deadline() const {
  if (!planned_.empty() || look_at_children_) return MonotonicTime{};
  std::optional<MonotonicTime> first;
  if (!timers_.empty()) first = timers_.begin()->first;
  if (!limits_.empty() && (!first || limits_.begin()->first < *first)) first = limits_.begin()->first;
  return first;
}

void Trees::main_ended(LiveAttempt& attempt) {
  attempt.main_ended = true;
  attempt.pidfd.close();
  read_report(attempt, true);
  if (!units_.empty() && units_.contains(attempt.key())) count(attempt);  // before it is removed
  if (attempt.ours) {
    ended_mains_.insert(attempt.key());
    look_at_children_ = true;
  } else {
    ledger_.forget_main(attempt.pid());
    plan(attempt, Todo::look);
  }
}

void Trees::take_up(LiveAttempt& attempt) {
  // One without a pidfd, for lack of descriptors, is looked at again and again instead.
  if (attempt.main_ended || !attempt.pidfd) plan(attempt, Todo::look);
  take_up_terms(attempt);
  // It was asked to end before the earlier keeper died, and may not have heard of it.
  if (attempt.record.asked) ask(attempt, TaskSignal::terminate, *attempt.record.asked);
}

void Trees::ask(LiveAttempt& attempt, TaskSignal signal, std::chrono::milliseconds grace) {
  if (signal != TaskSignal::terminate) {
    if (attempt.main_ended || attempt.ending != Ending::none) return;
    attempt.signaled.clear();
    attempt.tell_change = true;
    plan(attempt, signal == TaskSignal::pause ? Todo::pause : Todo::resume);
    return;
  }
  const bool timed_out = attempt.record.terms && attempt.record.terms->timed_out;
  if (!attempt.main_ended && !attempt.record.asked && !timed_out) ledger_.record_asked(attempt, grace);
  const auto kill_at = monotonic_now() + grace;
  if (attempt.ending == Ending::none) {
    attempt.ending = Ending::terminating;
    attempt.kill_at = kill_at;
    attempt.signaled.clear();
    plan(attempt, Todo::terminate);
  } else if (attempt.ending == Ending::terminating && kill_at < attempt.kill_at) {
    attempt.kill_at = kill_at;
    set_timer(attempt, attempt.timer ? std::min(*attempt.timer, kill_at) : kill_at);
  }
}

void Trees::work(MonotonicTime now) {
  if (look_at_children_) look_at_children();
  on_timers(now);
  on_limits(now);
  for (int round = 0; round < kRoundsPerTurn && !planned_.empty(); ++round) {
    look_at_children();  // nobody tells of a child that was adopted
    auto table = ProcessTable::read();
    const auto planned = std::exchange(planned_, {});
    for (const auto& key : planned) {
      auto* attempt = ledger_.find(key);
      if (attempt != nullptr) step(*attempt, table, now);
    }
  }
}

void Trees::on_timers(MonotonicTime now) {
  while (!timers_.empty() && timers_.begin()->first <= now) {
    const auto key = timers_.begin()->second;
    timers_.erase(timers_.begin());
    auto* attempt = ledger_.find(key);
    if (attempt == nullptr) continue;
    attempt->timer.reset();
    if (attempt->ending == Ending::terminating && attempt->kill_at <= now) attempt->ending = Ending::killing;
    const auto again = std::exchange(attempt->again, Todo::look);
    plan(*attempt, attempt->ending == Ending::killing ? Todo::kill : again);
  }
}

// Reaping a child may give the keeper that child's children, behind what was read already: so read until a reading
// finds nothing to reap.
void Trees::look_at_children() {
  look_at_children_ = false;
  for (bool reaped = true; reaped;) {
    reaped = false;
    for (const pid_t pid : read_children()) {
      if (!expected_.contains(pid) && ledger_.find_main(pid) == nullptr && look_at_adopted(pid)) reaped = true;
    }
  }
  const auto ended = std::vector<AttemptKey>(ended_mains_.begin(), ended_mains_.end());
  for (const auto& key : ended) {
    auto* attempt = ledger_.find(key);
    if (attempt != nullptr) settle_ended(*attempt);
  }
}

// True where it was dead and is reaped.
bool Trees::look_at_adopted(pid_t pid) {
  if (::waitpid(pid, nullptr, WNOHANG) != pid) {
    if (!adopted_.contains(pid)) adopt(pid);
    return false;
  }
  const auto known = adopted_.find(pid);
  if (known == adopted_.end()) return true;
  auto* owner = known->second ? ledger_.find(*known->second) : nullptr;
  if (owner != nullptr) std::erase(owner->adopted, pid);
  adopted_.erase(known);
  return true;
}

void Trees::adopt(pid_t pid) {
  auto* owner = owner_of(pid);
  adopted_[pid] = owner == nullptr ? std::nullopt : std::optional(owner->key());
  if (owner == nullptr) {
    const auto stat = read_stat(pid);
    log_line("process " + std::to_string(pid) + " (" + (stat ? stat->name : "?") +
             ") belongs to no attempt that is known");
    return;
  }
  owner->adopted.push_back(pid);
  // It may have come while its attempt is being ended or stopped.
  if (owner->ending == Ending::killing) plan(*owner, Todo::kill);
  if (owner->ending == Ending::none && owner->paused && owner->todo == Todo::nothing) plan(*owner, Todo::pause);
}

LiveAttempt* Trees::owner_of(pid_t pid) {
  const auto stat = read_stat(pid);
  if (stat) {
    auto* by_session = ledger_.find_main(stat->session);
    if (by_session != nullptr) return by_session;
  }
  for (const auto& key : attempts_around(pid)) {
    auto* by_cgroup = ledger_.find(key);
    if (by_cgroup != nullptr && by_cgroup->cgroup.holds(pid)) return by_cgroup;
  }
  auto* by_unit = owner_by_unit(pid);
  if (by_unit != nullptr) return by_unit;
  const auto key = read_attempt_patiently(pid);
  auto* by_environment = key ? ledger_.find(*key) : nullptr;
  if (by_environment != nullptr) return by_environment;
  if (ledger_.live().size() == 1) return ledger_.live().begin()->second.get();
  // It has hidden who it is; one of its descendants may not have.
  const auto table = ProcessTable::read();
  for (const pid_t member : table.with_descendants({pid})) {
    const auto* below = table.find(member);
    auto* owner = below == nullptr ? nullptr : ledger_.find_main(below->session);
    if (owner != nullptr) return owner;
  }
  return nullptr;
}

// Its main process waits to be reaped, and what it left behind is known.
void Trees::settle_ended(LiveAttempt& attempt) {
  if (attempt.adopted.empty() && leave_cgroup(attempt)) {
    conclude(attempt);
  } else if (attempt.ending == Ending::none) {
    attempt.ending = Ending::terminating;
    attempt.kill_at = monotonic_now() + kLeftoverGrace;
    attempt.signaled.clear();
    plan(attempt, Todo::terminate);
  } else if (attempt.left_count == 0) {
    plan(attempt, attempt.ending == Ending::killing ? Todo::kill : Todo::terminate);
  }
}

std::vector<pid_t> Trees::members_of(const LiveAttempt& attempt, ProcessTable& table) const {
  std::vector<pid_t> seeds = attempt.cgroup.processes();
  seeds.insert(seeds.end(), attempt.adopted.begin(), attempt.adopted.end());
  const auto* main = table.find(attempt.pid());
  const bool is_main = main != nullptr && main->start_ticks == attempt.record.start_ticks;
  if (is_main) seeds.push_back(attempt.pid());
  // An id that another process has now is another's session as well; and 0 is the kernel's.
  if (attempt.pid() > 1 && (is_main || main == nullptr)) {
    const auto session = table.session(attempt.pid());
    seeds.insert(seeds.end(), session.begin(), session.end());
  }
  if (!attempt.ours) {
    const auto [first, last] = table.attempts().equal_range(attempt.key());
    for (auto named = first; named != last; ++named) seeds.push_back(named->second);
    // One that has no environment may be in the session of a main process that the earlier keeper did not live to
    // write down. What it says still goes to the attempt's files.
    for (const auto* path : {&attempt.record.stdout_path, &attempt.record.stderr_path}) {
      const auto writers = table.writers_of(*path);
      seeds.insert(seeds.end(), writers.begin(), writers.end());
    }
  }
  return table.with_descendants(seeds);
}

bool Trees::send(const LiveAttempt& attempt, pid_t pid, int signal, const ProcessTable& table) const {
  const bool is_our_child = (attempt.ours && pid == attempt.pid()) || contains(attempt.adopted, pid);
  if (is_our_child) return ::kill(pid, signal) == 0;
  const auto* stat = table.find(pid);
  return stat != nullptr && send_checked(pid, signal, stat->start_ticks);
}

void Trees::step(LiveAttempt& attempt, ProcessTable& table, MonotonicTime now) {
  find_unit(attempt);
  if (attempt.todo == Todo::pause || attempt.todo == Todo::resume) return freeze_or_thaw(attempt, table);
  const auto todo = std::exchange(attempt.todo, Todo::nothing);
  const auto members = members_of(attempt, table);
  if (!attempt.main_ended && !attempt.pidfd && !contains(members, attempt.pid())) main_ended(attempt);
  if (attempt.main_ended) return end_leftovers(attempt, members, table, now);
  if (!attempt.pidfd) set_timer(attempt, now + kLookWithoutPidfd);
  if (leave_to_launcher(attempt, todo, now)) return;
  if (todo == Todo::terminate) {
    ask_to_end(attempt, members, table);
    set_timer(attempt, attempt.kill_at);
  } else if (todo == Todo::kill) {
    kill_all(attempt, members, table, now);
  }
}

// Those that have not heard of it.
void Trees::ask_to_end(LiveAttempt& attempt, const std::vector<pid_t>& members, const ProcessTable& table) {
  for (const pid_t pid : members) {
    if (contains(attempt.signaled, pid)) continue;
    send(attempt, pid, SIGTERM, table);
    send(attempt, pid, SIGCONT, table);
    attempt.signaled.push_back(pid);
  }
  attempt.cgroup.freeze(false);
  attempt.paused = false;
}

void Trees::kill_all(LiveAttempt& attempt, const std::vector<pid_t>& members, const ProcessTable& table,
                     MonotonicTime now) {
  attempt.cgroup.kill();
  for (const pid_t pid : members) send(attempt, pid, SIGKILL, table);
  // Its end is an event; this is for processes that were not seen yet or take their time to die.
  set_timer(attempt, now + std::min(20ms * (1 << std::min(attempt.kills++, 6u)), 1000ms));
}

void Trees::end_leftovers(LiveAttempt& attempt, const std::vector<pid_t>& members, const ProcessTable& table,
                          MonotonicTime now) {
  // The kernel may need a moment until the last that has ended is out of its cgroup.
  if (members.empty() && attempt.adopted.empty() && !leave_cgroup(attempt)) return set_timer(attempt, now + kLookSoon);
  if (members.empty() && !attempt.ours) {
    if (++attempt.empty_looks < 2) return plan(attempt, Todo::look);
    return conclude(attempt);
  }
  attempt.empty_looks = 0;
  if (members.empty()) return children_changed();
  if (attempt.ending == Ending::none) {
    attempt.ending = Ending::terminating;
    attempt.kill_at = now + kLeftoverGrace;
    attempt.signaled.clear();
  }
  if (attempt.left_count == 0) {
    attempt.left_count = members.size();
    for (std::size_t i = 0; i < std::min(members.size(), kNamesKept); ++i) {
      const auto* stat = table.find(members[i]);
      if (stat != nullptr) attempt.left_behind += (i == 0 ? " " : ", ") + stat->name;
    }
  }
  if (attempt.ending == Ending::killing) {
    if (attempt.controlled && attempt.kills >= kKillsBeforeTheLauncher) begin_finish(attempt);
    return kill_all(attempt, members, table, now);
  }
  ask_to_end(attempt, members, table);
  // Those that are not below us tell nobody when they end.
  const bool tells = attempt.ours && !attempt.cgroup;
  set_timer(attempt, tells ? attempt.kill_at : std::min(now + kLookEvery, attempt.kill_at));
}

// Again and again until a reading of /proc shows nobody new: what a process forks while it is being stopped runs on.
void Trees::freeze_or_thaw(LiveAttempt& attempt, ProcessTable& table) {
  const bool pause = attempt.todo == Todo::pause;
  attempt.todo = Todo::nothing;
  if (attempt.main_ended || attempt.ending != Ending::none) return;
  if (attempt.controlled) return want(attempt, pause ? Verb::pause : Verb::resume);
  if (!attempt.cgroup.freeze(pause)) {
    attempt.again = pause ? Todo::pause : Todo::resume;
    return set_timer(attempt, monotonic_now() + kLookEvery);
  }
  const auto inside = attempt.cgroup.can_freeze() ? attempt.cgroup.processes() : std::vector<pid_t>();
  bool anybody_new = false;
  for (const pid_t pid : members_of(attempt, table)) {
    if (contains(attempt.signaled, pid) || contains(inside, pid)) continue;
    send(attempt, pid, pause ? SIGSTOP : SIGCONT, table);
    attempt.signaled.push_back(pid);
    anybody_new = true;
  }
  if (anybody_new) return plan(attempt, pause ? Todo::pause : Todo::resume);
  attempt.signaled.clear();
  attempt.paused = pause;
  if (!attempt.pidfd) set_timer(attempt, monotonic_now() + kLookWithoutPidfd);
  if (std::exchange(attempt.tell_change, false)) ledger_.record_changed(attempt);
}

// The kernel counts the memory that a child shared with the keeper until it executed its program as the child's peak:
// a peak not above the keeper's own says nothing, and is told as zero.
Usage Trees::own_usage_of(const rusage& used) {
  if (used.ru_maxrss > own_peak_) {
    rusage own{};
    ::getrusage(RUSAGE_SELF, &own);
    own_peak_ = own.ru_maxrss;
  }
  Usage usage = usage_of(used);
  if (used.ru_maxrss <= own_peak_) usage.max_rss_bytes = 0;
  return usage;
}

void Trees::conclude(LiveAttempt& attempt) {
  if (attempt.controlled && !attempt.controlled->finished) return begin_finish(attempt);
  set_timer(attempt, std::nullopt);
  forget_limit(attempt);
  units_.erase(attempt.key());
  ended_mains_.erase(attempt.key());
  int status = 0;
  rusage used{};
  const bool is_read = attempt.ours && ::wait4(attempt.pid(), &status, WNOHANG, &used) == attempt.pid();
  auto end = end_of(attempt, is_read ? std::optional(status) : std::nullopt, is_read ? own_usage_of(used) : Usage{});
  ledger_.end(attempt, end.outcome, end.usage, std::move(end.message));
}

// True where nothing lives in it any more: then it is gone, too.
bool Trees::leave_cgroup(LiveAttempt& attempt) {
  if (!attempt.cgroup) return true;
  count(attempt);
  return attempt.cgroup.remove();
}

}  // namespace hakuriver::keeper
