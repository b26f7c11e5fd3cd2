#include "service/null_keeper.hpp"

#include <string>
#include <utility>

namespace hakuriver::service {

Result<std::unique_ptr<NullKeeper>> NullKeeper::open(Session session, std::function<UtcTime()> utc_now) {
  auto event = WakeDescriptor::open();
  if (!event) return event.error();
  return std::unique_ptr<NullKeeper>(new NullKeeper(std::move(*event), std::move(session), std::move(utc_now)));
}

NullKeeper::NullKeeper(WakeDescriptor event, Session session, std::function<UtcTime()> utc_now)
    : untold_event_(std::move(event)), utc_now_(std::move(utc_now)) {
  known_.session = std::move(session);
}

Result<KeeperListing> NullKeeper::take_over(const std::string& cluster_id, Epoch epoch) {
  if (epoch < known_.epoch) return Error{Errc::denied, "epoch " + std::to_string(known_.epoch.value) + " was seen"};
  if (cluster_id != known_.cluster_id && !ended_.empty()) {
    return Error{Errc::conflict, "cluster " + known_.cluster_id};
  }
  known_.cluster_id = cluster_id;
  known_.epoch = epoch;
  ++known_.run.value;
  untold_.clear();
  KeeperListing listing = known_;
  for (const auto& [record, attempt] : ended_) listing.attempts.push_back(attempt);
  return listing;
}

Status NullKeeper::start(const StartRequest& request) {
  if (!records_.try_emplace(request.key, last_record_ + 1).second) return Unit{};
  KeptAttempt attempt;
  attempt.key = request.key;
  attempt.state = KeptState::ended;
  attempt.started_at = utc_now_();
  attempt.record = ++last_record_;
  attempt.outcome = {OutcomeKind::exited, 0};
  attempt.millicores = request.millicores;
  attempt.memory_bytes = request.memory_bytes;
  attempt.numa_node = request.numa_node;
  ended_.emplace_hint(ended_.end(), attempt.record, std::move(attempt));
  untold_.push_back(last_record_);
  if (untold_.size() == 1) untold_event_.set();
  return Unit{};
}

Status NullKeeper::signal(AttemptKey, TaskSignal, std::chrono::milliseconds) { return Unit{}; }

Status NullKeeper::confirm(std::uint64_t record) {
  while (!ended_.empty() && ended_.begin()->first <= record) {
    records_.erase(ended_.begin()->second.key);
    known_.confirmed = ended_.begin()->first;
    ended_.erase(ended_.begin());
  }
  return Unit{};
}

void NullKeeper::dispatch(const KeeperEvents& events) {
  untold_event_.clear();
  for (const std::uint64_t record : std::exchange(untold_, {})) {
    const auto ended = ended_.find(record);
    if (ended == ended_.end()) continue;
    KeptAttempt started = ended->second;
    started.state = KeptState::running;
    started.record = 0;
    events.started(started);
    events.ended(ended->second);
  }
}

}  // namespace hakuriver::service
