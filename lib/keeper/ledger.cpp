#include "keeper/ledger.hpp"

#include <sys/stat.h>

#include <algorithm>

#include "keeper/clocks.hpp"
#include "keeper/crash_point.hpp"
#include "keeper/log.hpp"

namespace hakuriver::keeper {
namespace {

// What the rest of an attempt's records takes in the journal: started, asked, and an end with a message of 256 bytes.
constexpr std::size_t kReservePerAttempt = 640;
constexpr std::size_t kShortMessage = 256;
constexpr std::size_t kCompactAtLeast = std::size_t{4} << 20;
constexpr std::size_t kCompactWhenIdle = std::size_t{32} << 10;
constexpr std::size_t kMaxEventsKept = 4096;

std::uint64_t size_of(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) ? static_cast<std::uint64_t>(status.st_size)
                                                                        : 0;
}

}  // namespace

Ledger::Ledger(Journal journal, JournalContent content)
    : journal_(std::move(journal)),
      session_(std::move(content.session)),
      run_(content.run),
      cluster_id_(std::move(content.cluster_id)),
      epoch_(content.epoch),
      confirmed_(content.confirmed),
      last_record_(content.last_record),
      unended_(std::move(content.unended)) {
  for (auto& attempt : content.ended) {
    ended_keys_[attempt.key] = attempt.record;
    ended_.push_back(std::move(attempt));
  }
  compact_at_ = std::max(kCompactAtLeast, journal_.size() * 2);
}

LiveAttempt* Ledger::find(AttemptKey key) {
  const auto found = live_.find(key);
  return found == live_.end() ? nullptr : found->second.get();
}

LiveAttempt* Ledger::find_main(pid_t pid) {
  const auto found = mains_.find(pid);
  return found == mains_.end() ? nullptr : found->second;
}

Result<RunId> Ledger::begin_run(const std::string& cluster_id, Epoch epoch) {
  const bool same = cluster_id == cluster_id_;
  if (!same && !cluster_id_.empty() && !is_idle()) {
    return Error{Errc::conflict,
                 "the keeper holds attempts of cluster '" + cluster_id_ + "', not of '" + cluster_id + "'"};
  }
  if (same && epoch < epoch_) {
    return Error{Errc::denied, "epoch " + std::to_string(epoch.value) + ": the keeper has seen epoch " +
                                   std::to_string(epoch_.value)};
  }
  const RunId run{run_.value + 1};
  const auto flushed = journal_.flush();
  if (!flushed) return Error{Errc::unavailable, flushed.error().message};
  const bool moves = !same && !cluster_id_.empty();
  const auto written = moves ? begin_anew(run, cluster_id, epoch) : write_run(run, cluster_id, epoch);
  if (!written) return Error{Errc::unavailable, written.error().message};
  run_ = run;
  cluster_id_ = cluster_id;
  epoch_ = epoch;
  events_.clear();  // the listing tells it all
  return run;
}

Status Ledger::write_run(RunId run, const std::string& cluster_id, Epoch epoch) {
  append_run(journal_.pending(), run, cluster_id, epoch);
  auto written = journal_.flush();
  if (!written) journal_.drop_pending();
  return written;
}

// Nothing is left of the cluster before, and its record numbers mean nothing to this one.
Status Ledger::begin_anew(RunId run, const std::string& cluster_id, Epoch epoch) {
  JournalContent fresh;
  fresh.session = {make_journal_id(), session_.boot_id};
  fresh.run = run;
  fresh.cluster_id = cluster_id;
  fresh.epoch = epoch;
  auto written = journal_.rewrite(fresh, 0);
  if (!written) return written;
  session_ = fresh.session;
  confirmed_ = 0;
  last_record_ = 0;
  return written;
}

KeeperListing Ledger::listing() const { return {session_, run_, cluster_id_, epoch_, confirmed_, {}}; }

std::vector<KeptAttempt> Ledger::attempts() const {
  std::vector<KeptAttempt> all(ended_.begin(), ended_.end());
  const auto first_live = static_cast<std::ptrdiff_t>(all.size());
  for (const auto& [key, attempt] : live_) all.push_back(kept(*attempt));
  std::sort(all.begin() + first_live, all.end(),
            [](const KeptAttempt& a, const KeptAttempt& b) { return a.key < b.key; });
  return all;
}

KeptAttempt Ledger::kept(const LiveAttempt& attempt) const {
  KeptAttempt kept;
  kept.key = attempt.key();
  kept.state = attempt.paused ? KeptState::paused : KeptState::running;
  kept.pid = attempt.record.pid;
  kept.started_at = attempt.record.started_at;
  kept.by_request = attempt.record.asked.has_value();
  kept.millicores = attempt.record.millicores;
  kept.memory_bytes = attempt.record.memory_bytes;
  kept.numa_node = attempt.record.numa_node;
  return kept;
}

Status Ledger::intend(const std::vector<UnendedAttempt>& attempts, int& error) {
  const auto give_up = [&](Error failure) {
    error = journal_.last_errno();
    return failure;
  };
  // What is pending belongs to others, and must not be dropped with these.
  const auto flushed = journal_.flush();
  if (!flushed) return give_up(flushed.error());
  crash_point("intent");
  for (const auto& attempt : attempts) append_intent(journal_.pending(), attempt);
  auto written = journal_.reserve((live_.size() + attempts.size()) * kReservePerAttempt);
  if (written) written = journal_.flush();
  if (!written) {
    journal_.drop_pending();
    return give_up(written.error());
  }
  crash_point("intended");
  return Unit{};
}

LiveAttempt& Ledger::add(UnendedAttempt record) {
  const auto key = record.key;
  auto& place = live_[key];
  place = std::make_unique<LiveAttempt>();
  place->record = std::move(record);
  if (place->record.terms && !place->record.terms->control.empty()) place->controlled = std::make_unique<Controlled>();
  return *place;
}

void Ledger::record_started(LiveAttempt& attempt) {
  crash_point("spawned");
  remember_main(attempt);
  append_started(journal_.pending(), attempt.key(), attempt.record.pid, attempt.record.start_ticks);
  if (!attempt.report) tell_started(attempt);
}

void Ledger::record_timed_out(LiveAttempt& attempt) {
  attempt.record.terms->timed_out = true;
  append_timed_out(journal_.pending(), attempt.key());
  flush_early();
  crash_point("timed out");
}

// Before the signals that it is about: what they do must not be taken for the task's own doing by a later keeper.
void Ledger::flush_early() {
  const auto flushed = journal_.flush();
  if (!flushed) log_line("the journal cannot be written just now: " + flushed.error().message);
}

void Ledger::record_main_ended(LiveAttempt& attempt, std::int32_t wait_status) {
  attempt.record.terms->main_status = wait_status;
  append_main_ended(journal_.pending(), attempt.key(), wait_status);
}

void Ledger::record_held(LiveAttempt& attempt, bool held) {
  attempt.record.terms->held = held;
  append_held(journal_.pending(), attempt.key(), held);
}

void Ledger::record_unit(LiveAttempt& attempt, const UnitCgroup& cgroup) {
  attempt.record.terms->cgroup = cgroup;
  append_unit(journal_.pending(), attempt.key(), cgroup);
}

void Ledger::record_asked(LiveAttempt& attempt, std::chrono::milliseconds grace) {
  attempt.record.asked = grace;
  append_asked(journal_.pending(), attempt.key(), grace);
  flush_early();
}

void Ledger::record_changed(LiveAttempt& attempt) { tell(FrameType::changed, kept(attempt)); }

void Ledger::end(LiveAttempt& attempt, Outcome outcome, Usage usage, std::string message) {
  KeptAttempt ended = kept(attempt);
  ended.state = KeptState::ended;
  ended.record = ++last_record_;
  ended.outcome = outcome;
  ended.usage = usage;
  ended.ended_after = monotonic_now() - attempt.record.started;
  ended.stdout_bytes = size_of(attempt.record.stdout_path);
  ended.stderr_bytes = size_of(attempt.record.stderr_path);
  if (message.size() > kMaxMessage) message.resize(kMaxMessage);
  const auto reserved = journal_.reserve(message.size() + live_.size() * kReservePerAttempt);
  if (!reserved && message.size() > kShortMessage) message.resize(kShortMessage);
  ended.message = std::move(message);
  append_ended(journal_.pending(), ended);
  const auto main = mains_.find(attempt.pid());
  if (main != mains_.end() && main->second == &attempt) mains_.erase(main);
  live_.erase(ended.key);
  ended_keys_[ended.key] = ended.record;
  tell(FrameType::ended, ended);
  ended_.push_back(std::move(ended));
}

void Ledger::confirm(std::uint64_t record) {
  record = std::min(record, last_record_);
  if (record <= confirmed_) return;
  while (!ended_.empty() && ended_.front().record <= record) {
    const auto known = ended_keys_.find(ended_.front().key);
    if (known != ended_keys_.end() && known->second == ended_.front().record) ended_keys_.erase(known);
    ended_.pop_front();
  }
  confirmed_ = record;
  append_confirmed(journal_.pending(), record);
}

Status Ledger::commit(std::vector<AttemptEvent>& events) {
  if (!journal_.pending().empty()) {
    crash_point("commit");
    const auto written = journal_.flush();
    if (!written) {
      // They are in the ledger: who asks later is told by the listing.
      if (events_.size() > kMaxEventsKept) log_line("the journal cannot be written: " + written.error().message);
      return written;
    }
    crash_point("committed");
    compact_if_due();
  }
  events.swap(events_);
  events_.clear();
  return Unit{};
}

void Ledger::compact_if_due() {
  const bool idle = is_idle() && journal_.size() > kCompactWhenIdle;
  if (!idle && journal_.size() < compact_at_) return;
  const auto written = journal_.rewrite(content(), live_.size() * kReservePerAttempt);
  if (!written) log_line("the journal goes on without being rewritten: " + written.error().message);
  compact_at_ = std::max(kCompactAtLeast, journal_.size() * 2);
}

JournalContent Ledger::content() const {
  JournalContent content;
  content.session = session_;
  content.run = run_;
  content.cluster_id = cluster_id_;
  content.epoch = epoch_;
  content.confirmed = confirmed_;
  content.last_record = last_record_;
  content.ended.assign(ended_.begin(), ended_.end());
  for (const auto& [key, attempt] : live_) content.unended.push_back(attempt->record);
  return content;
}

}  // namespace hakuriver::keeper
