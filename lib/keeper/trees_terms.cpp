// The part of Trees for what few attempts have: a time limit, a report of their start, a unit's cgroup, a launcher.
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "keeper/clocks.hpp"
#include "keeper/log.hpp"
#include "keeper/trees.hpp"

namespace hakuriver::keeper {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMaxCgroupText = 64 * 1024;
constexpr std::size_t kMaxMounts = std::size_t{4} << 20;
constexpr auto kKillAgain = 1s;
constexpr std::uint32_t kKillsBeforeTheClient = 8;

MonotonicTime limit_of(const LiveAttempt& attempt) { return attempt.record.started + attempt.record.terms->time_limit; }

bool is_ready(int descriptor) {
  pollfd ready{descriptor, POLLIN, 0};
  return descriptor >= 0 && ::poll(&ready, 1, 0) == 1;
}

// As waitpid tells it, of a child that stays to be waited for.
std::optional<std::int32_t> peek_status(pid_t pid) {
  siginfo_t info{};
  if (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != pid) {
    return std::nullopt;
  }
  return info.si_code == CLD_EXITED ? (info.si_status & 0xff) << 8 : info.si_status & 0x7f;
}

}  // namespace

void Trees::watch_limit(const LiveAttempt& attempt) {
  const auto& terms = attempt.record.terms;
  if (terms && terms->time_limit.count() != 0) limits_.insert({limit_of(attempt), attempt.key()});
}

void Trees::forget_limit(const LiveAttempt& attempt) {
  const auto& terms = attempt.record.terms;
  if (terms && terms->time_limit.count() != 0) limits_.erase({limit_of(attempt), attempt.key()});
}

void Trees::on_limits(MonotonicTime now) {
  while (!limits_.empty() && limits_.begin()->first <= now) {
    auto* attempt = ledger_.find(limits_.begin()->second);
    limits_.erase(limits_.begin());
    if (attempt != nullptr) reach_limit(*attempt);
  }
}

void Trees::reach_limit(LiveAttempt& attempt) {
  auto& terms = *attempt.record.terms;
  if (attempt.main_ended || attempt.ending != Ending::none || attempt.record.asked) return;
  if (is_ready(attempt.pidfd.get())) return;  // it has ended by itself, which is about to be seen
  if (!terms.timed_out) ledger_.record_timed_out(attempt);
  attempt.ending = Ending::terminating;
  attempt.kill_at = std::max(limit_of(attempt) + terms.time_limit_grace, monotonic_now());
  attempt.signaled.clear();
  plan(attempt, Todo::terminate);
}

// An attempt of an earlier keeper.
void Trees::take_up_terms(LiveAttempt& attempt) {
  if (!attempt.record.terms) return;
  if (!attempt.main_ended) find_unit(attempt);
  if (!attempt.cgroup && !attempt.record.terms->cgroup.empty()) enter_unit(attempt);
  if (!attempt.main_ended && units_.contains(attempt.key()) && attempt.cgroup.is_frozen()) attempt.paused = true;
  if (attempt.record.terms->timed_out) return reach_limit(attempt);
  watch_limit(attempt);
}

void Trees::read_report(LiveAttempt& attempt, bool is_over) {
  if (!attempt.report || attempt.report->verdict() != StartReport::Verdict::open) return;
  if (attempt.report->read(is_over) != StartReport::Verdict::executed) return;
  find_unit_in(attempt, attempt.report->cgroup());
  ledger_.tell_started(attempt);
}

// Where nobody was there to read what the launching program told, the process itself tells where it is.
void Trees::find_unit(LiveAttempt& attempt) {
  const auto& terms = attempt.record.terms;
  if (!terms || terms->unit.empty() || !terms->cgroup.empty() || attempt.report || attempt.pid() <= 1) return;
  const auto path = "/proc/" + std::to_string(attempt.pid()) + "/cgroup";
  find_unit_in(attempt, read_text(path.c_str(), kMaxCgroupText).value_or(""));
}

void Trees::find_unit_in(LiveAttempt& attempt, const std::string& cgroup) {
  auto& terms = *attempt.record.terms;
  if (terms.unit.empty()) return;
  const auto found = find_unit_cgroup(cgroup, read_text("/proc/self/mountinfo", kMaxMounts).value_or(""), terms.unit);
  if (found.empty()) return;
  ledger_.record_unit(attempt, found);
  enter_unit(attempt);
}

void Trees::enter_unit(LiveAttempt& attempt) {
  attempt.cgroup = Cgroup(attempt.record.terms->cgroup);
  if (attempt.cgroup) units_.insert(attempt.key());
}

// As long as somebody else has not removed it.
void Trees::count(LiveAttempt& attempt) {
  const auto now = attempt.cgroup.counts();
  auto& before = attempt.counted;  // of a part that is removed already, there is nothing to read now
  before = {std::max(before.cpu_microseconds, now.cpu_microseconds), std::max(before.peak_bytes, now.peak_bytes),
            std::max(before.oom_kills, now.oom_kills)};
}

LiveAttempt* Trees::owner_by_unit(pid_t pid) {
  for (const auto& key : units_) {
    auto* attempt = ledger_.find(key);
    if (attempt != nullptr && attempt->cgroup.holds(pid)) return attempt;
  }
  return nullptr;
}

void Trees::want(LiveAttempt& attempt, Verb verb) {
  auto& controlled = *attempt.controlled;
  if (controlled.asked == verb && verb != Verb::finish) return;
  if (controlled.wanted != verb) controlled.failures = 0;
  controlled.wanted = verb;
  controlled_.push_back(attempt.key());
}

// True where the launcher does it, and not we.
bool Trees::leave_to_launcher(LiveAttempt& attempt, Todo todo, MonotonicTime now) {
  if (!attempt.controlled || attempt.main_ended) return false;
  if (todo == Todo::terminate) {
    attempt.paused = false;
    want(attempt, Verb::terminate);
    set_timer(attempt, attempt.kill_at);
  } else if (todo == Todo::kill) {
    want(attempt, Verb::kill);
    set_timer(attempt, now + kKillAgain);
    // A client that stays though nothing it waited for is left is ended by us.
    return ++attempt.kills < kKillsBeforeTheClient;
  }
  return true;
}

void Trees::held(LiveAttempt& attempt, bool paused) {
  if (attempt.main_ended || attempt.ending != Ending::none) return;
  attempt.paused = paused;
  ledger_.record_held(attempt, paused);
  if (std::exchange(attempt.tell_change, false)) ledger_.record_changed(attempt);
}

// Nothing of the main process is left that we could end; what it was the client of may be.
void Trees::begin_finish(LiveAttempt& attempt) {
  if (std::exchange(attempt.controlled->finishing, true)) return;
  set_timer(attempt, std::nullopt);
  const auto status = attempt.ours ? peek_status(attempt.pid()) : std::nullopt;
  if (status) ledger_.record_main_ended(attempt, *status);
  want(attempt, Verb::finish);
}

void Trees::finished(LiveAttempt& attempt) {
  attempt.controlled->finished = true;
  conclude(attempt);
}

}  // namespace hakuriver::keeper
