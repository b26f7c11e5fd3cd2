#include "simulation/machine.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

#include "hakuriver/host/capacity.hpp"

namespace hakuriver::simulation {

Machine::Machine(Surroundings& world, std::string name, NodeFacts facts)
    : world_(world), name_(std::move(name)), facts_(std::move(facts)) {}

std::size_t Machine::living() const {
  return static_cast<std::size_t>(
      std::count_if(processes_.begin(), processes_.end(), [](const auto& each) { return each.second.alive; }));
}

Machine::Process* Machine::living_process(AttemptKey key) {
  for (auto& [pid, process] : processes_) {
    if (process.key == key && process.alive) return &process;
  }
  return nullptr;
}

void Machine::to_keeper(std::function<void()> message) {
  to_keeper_at_ = std::max(to_keeper_at_, world_.scheduler.now() + world_.random.between(1us, 500us));
  world_.scheduler.after(to_keeper_at_ - world_.scheduler.now(),
                         [this, link = link_, boot = boot_, message = std::move(message)] {
                           if (link == link_ && boot == boot_ && up_ && keeper_ && heard_link_ == link) message();
                         });
}

template <class Event>
void Machine::to_agent(Event event) {
  if (heard_link_ != link_) return;
  to_agent_at_ = std::max(to_agent_at_, world_.scheduler.now() + world_.random.between(1us, 500us));
  world_.scheduler.after(to_agent_at_ - world_.scheduler.now(),
                         [this, link = link_, event = std::move(event), listener = listener_] {
                           if (link == link_) listener(event);
                         });
}

void Machine::append(RecordKind kind, const KeptAttempt& attempt) {
  JournalRecord record;
  record.kind = kind;
  record.attempt = attempt;
  journal_.push_back(std::move(record));
}

void Machine::kill_all_processes() {
  for (auto& [pid, process] : processes_) {
    if (!process.alive) continue;
    process.alive = false;
    ++process.plan;
    world_.history.unreadable(process.key);
    world_.history.gone(process.key, {OutcomeKind::unknown, 0});
  }
}

void Machine::crash() {
  if (!up_) return;
  world_.trace.say(name_, "      machine crashes");
  up_ = false;
  ++boot_;
  ++link_;
  keeper_.reset();
  for (const auto& record : journal_) {
    if (record.kind == RecordKind::intent) world_.history.unreadable(record.attempt.key);
  }
  kill_all_processes();
  if (world_.random.chance(0.5)) journal_.resize(world_.random.below(journal_.size() + 1));
  world_.history.machine_restarted(name_);
}

void Machine::boot() {
  if (up_) return;
  world_.trace.say(name_, "      machine boots");
  up_ = true;
  lost_journal_ = false;
}

void Machine::crash_keeper() {
  if (!keeper_) return;
  world_.trace.say(name_, "      keeper dies");
  for (const auto& [key, kept] : keeper_->attempts) {
    if (kept.listed.state != KeptState::ended) world_.history.unreadable(key);
  }
  to_agent(runner_event::KeeperGone{"the connection is closed"});
  heard_link_ = 0;
  keeper_.reset();
}

void Machine::lose_journal() {
  world_.trace.say(name_, "      loses its keeper's journal");
  crash_keeper();
  for (const auto& record : journal_) {
    if (record.kind == RecordKind::intent) world_.history.unreadable(record.attempt.key);
  }
  journal_.clear();
  lost_journal_ = true;
}

void Machine::replay_journal(Keeper& keeper) {
  for (const auto& record : journal_) {
    const AttemptKey key = record.attempt.key;
    switch (record.kind) {
      case RecordKind::session:
        keeper.session = record.session;
        break;
      case RecordKind::taken:
        keeper.cluster_id = record.cluster_id;
        keeper.epoch = record.epoch;
        keeper.run = record.run;
        break;
      case RecordKind::intent:
        keeper.attempts[key].listed = record.attempt;
        break;
      case RecordKind::started:
        keeper.attempts[key] = {record.attempt, record.attempt.pid};
        break;
      case RecordKind::ended:
        keeper.attempts[key].listed = record.attempt;
        keeper.last_record = std::max(keeper.last_record, record.attempt.record);
        break;
      case RecordKind::confirmed:
        keeper.confirmed = record.confirmed;
        std::erase_if(keeper.attempts, [&record](const auto& each) {
          return each.second.listed.state == KeptState::ended && each.second.listed.record <= record.confirmed;
        });
        break;
    }
  }
}

// Numbers begin again with each boot: what is left of the last one is written anew.
void Machine::begin_session(Keeper& keeper) {
  const std::string boot_id = name_ + "-boot" + std::to_string(boot_);
  if (keeper.session.boot_id == boot_id) return;
  if (keeper.session.journal_id.empty()) keeper.session.journal_id = name_ + "-journal" + std::to_string(++journals_);
  keeper.session.boot_id = boot_id;
  journal_.clear();
  append(RecordKind::session, {});
  journal_.back().session = keeper.session;
  append(RecordKind::taken, {});
  journal_.back().cluster_id = keeper.cluster_id;
  journal_.back().epoch = keeper.epoch;
  journal_.back().run = keeper.run;
  keeper.confirmed = 0;
  keeper.last_record = 0;
  for (auto& [key, kept] : keeper.attempts) {
    append(RecordKind::intent, kept.listed);
    if (kept.listed.state != KeptState::ended) continue;
    kept.listed.record = ++keeper.last_record;
    append(RecordKind::ended, kept.listed);
  }
}

// An attempt without a living process has ended, and nobody can say how. It is never one that did not start.
void Machine::adopt_or_end(Keeper& keeper) {
  for (auto& [key, kept] : keeper.attempts) {
    if (kept.listed.state == KeptState::ended) continue;
    Process* process = living_process(key);
    if (process == nullptr) {
      write_end(keeper, kept, {OutcomeKind::unknown, 0});
      continue;
    }
    for (const auto& [pid, each] : processes_) {
      if (&each == process) kept.pid = pid;
    }
    kept.listed.state = process->paused ? KeptState::paused : KeptState::running;
  }
}

void Machine::restart_keeper() {
  Keeper keeper;
  keeper.number = ++keepers_;
  replay_journal(keeper);
  begin_session(keeper);
  adopt_or_end(keeper);
  keeper_ = std::move(keeper);
  world_.trace.say(name_, "      keeper starts, session ", keeper_->session.journal_id, " ", keeper_->session.boot_id,
                   ", knows ", keeper_->attempts.size());
}

void Machine::take_over(const runner_effect::TakeKeeperOver& ask, Listener listener) {
  ++link_;
  listener_ = std::move(listener);
  const auto delay = world_.random.between(10us, keeper_ ? 1'000us : 10'000us);
  world_.scheduler.after(delay, [this, link = link_, boot = boot_, ask] {
    if (link != link_ || boot != boot_ || !up_) return;
    if (!keeper_) restart_keeper();
    heard_link_ = link_;
    be_taken_over(ask);
  });
}

void Machine::be_taken_over(const runner_effect::TakeKeeperOver& ask) {
  Keeper& keeper = *keeper_;
  if (ask.epoch < keeper.epoch) {
    to_agent(runner_event::KeeperRefused{ask.call, {Errc::denied, "a lower epoch"}});
    return;
  }
  if (world_.fault(world_.profile.keeper_step_crash)) {
    to_agent(runner_event::KeeperRefused{ask.call, {Errc::io, "the keeper cannot be started"}});
    return;
  }
  keeper.cluster_id = ask.cluster_id;
  keeper.epoch = ask.epoch;
  keeper.run = RunId{keeper.run.value + 1};
  append(RecordKind::taken, {});
  journal_.back().cluster_id = keeper.cluster_id;
  journal_.back().epoch = keeper.epoch;
  journal_.back().run = keeper.run;
  to_agent(runner_event::KeeperTaken{ask.call, listing()});
}

KeeperListing Machine::listing() const {
  KeeperListing list{keeper_->session, keeper_->run, keeper_->cluster_id, keeper_->epoch, keeper_->confirmed, {}};
  for (const auto& [key, kept] : keeper_->attempts) {
    if (kept.listed.state == KeptState::ended) list.attempts.push_back(kept.listed);
  }
  std::sort(list.attempts.begin(), list.attempts.end(),
            [](const KeptAttempt& a, const KeptAttempt& b) { return a.record < b.record; });
  for (const auto& [key, kept] : keeper_->attempts) {
    if (kept.listed.state == KeptState::ended) continue;
    list.attempts.push_back(kept.listed);
    if (world_.mutation != Mutation::listing_without_places) continue;
    list.attempts.back().millicores = 0;
    list.attempts.back().memory_bytes = 0;
  }
  return list;
}

void Machine::start(const runner_effect::StartAttempt& ask) {
  to_keeper([this, ask] { do_start(ask); });
}
void Machine::signal(const runner_effect::SignalAttempt& ask) {
  to_keeper([this, ask] { do_signal(ask); });
}
void Machine::confirm(std::uint64_t record) {
  to_keeper([this, record] { do_confirm(record); });
}

void Machine::do_start(const runner_effect::StartAttempt& ask) {
  Keeper& keeper = *keeper_;
  const auto [known, is_new] = keeper.attempts.try_emplace(ask.key);
  if (!is_new) return;
  Kept& kept = known->second;
  kept.listed.key = ask.key;
  kept.listed.millicores = ask.spec->resources.millicores;
  kept.listed.memory_bytes = ask.spec->resources.memory_bytes;
  kept.listed.numa_node = ask.numa_node;
  kept.listed.started_at = world_.now().utc;
  if (world_.mutation != Mutation::keeper_writes_no_intent) append(RecordKind::intent, kept.listed);
  if (world_.fault(world_.profile.keeper_step_crash)) return crash_keeper();
  if (world_.fault(world_.profile.node_fault)) {
    world_.history.start_failed(ask.key);
    kept.listed.message = "no space left on the device";
    write_end(keeper, kept, {OutcomeKind::never_started, ENOSPC});
    return;
  }
  execute(kept);
  if (world_.fault(world_.profile.keeper_step_crash)) return crash_keeper();
  append(RecordKind::started, kept.listed);
  to_agent(runner_event::AttemptStarted{kept.listed});
}

void Machine::execute(Kept& kept) {
  world_.trace.say(name_, "      executes task ", kept.listed.key.task.value, " attempt ",
                   kept.listed.key.attempt.value);
  Random& random = world_.random;
  kept.pid = ++last_pid_;
  kept.listed.pid = kept.pid;
  Process process;
  process.key = kept.listed.key;
  process.parent = keeper_->number;
  process.resources = {kept.listed.millicores, kept.listed.memory_bytes};
  process.numa_node = kept.listed.numa_node;
  process.obeys_term = !random.chance(0.2);
  const std::uint64_t fate = random.below(20);
  process.outcome = {OutcomeKind::exited, 0};
  if (fate == 0) process.outcome = {OutcomeKind::exited, 3};
  if (fate == 1) process.outcome = {OutcomeKind::signaled, SIGSEGV};
  if (fate == 2) process.outcome = {OutcomeKind::oom_killed, SIGKILL};
  const microseconds life = random.chance(0.1)   ? random.between(20s, 90s)
                            : random.chance(0.5) ? random.between(1ms, 500ms)
                                                 : random.between(500ms, 15s);
  processes_[kept.pid] = process;
  world_.history.executed(name_, kept.listed.key);
  plan_end(kept.pid, life);
  check_resources();
}

void Machine::check_resources() {
  NodeUse use;
  std::map<std::uint32_t, NodeUse> numa_use;
  for (const auto& [pid, process] : processes_) {
    const bool listed = keeper_->attempts.count(process.key) != 0;
    if (!process.alive || (!listed && world_.history.nobody_counts(process.key))) continue;
    add_use(use, process.resources);
    if (process.numa_node) add_use(numa_use[*process.numa_node], process.resources);
  }
  const auto fits = [](const Resources& taken, const Resources& total) {
    return taken.millicores <= total.millicores && taken.memory_bytes <= total.memory_bytes;
  };
  bool good = use.tasks <= facts_.max_tasks && fits(use.reserved, {facts_.millicores, facts_.memory_bytes});
  for (const auto& [id, numa] : numa_use) good &= fits(numa.reserved, resources_of(*find_numa_node(facts_, id)));
  if (!good) world_.history.violation("promise 5: more runs on node '" + name_ + "' than it has");
}

void Machine::plan_end(std::int64_t pid, microseconds delay) {
  Process& process = processes_.at(pid);
  process.ends_at = world_.scheduler.now() + delay;
  world_.scheduler.after(delay, [this, pid, plan = ++process.plan] {
    if (processes_.at(pid).plan == plan) process_gone(pid);
  });
}

// The whole tree is gone. Only the parent can read how the main process ended.
void Machine::process_gone(std::int64_t pid) {
  Process& process = processes_.at(pid);
  process.alive = false;
  world_.trace.say(name_, "      task ", process.key.task.value, " attempt ", process.key.attempt.value, " is gone");
  world_.history.gone(process.key, process.outcome);
  if (!keeper_) return;
  const auto kept = keeper_->attempts.find(process.key);
  if (kept == keeper_->attempts.end() || kept->second.listed.state == KeptState::ended) return;
  if (world_.fault(world_.profile.keeper_step_crash)) return crash_keeper();
  const bool readable = process.parent == keeper_->number;
  write_end(*keeper_, kept->second, readable ? process.outcome : Outcome{OutcomeKind::unknown, 0});
}

void Machine::write_end(Keeper& keeper, Kept& kept, Outcome outcome) {
  kept.listed.state = KeptState::ended;
  kept.listed.outcome = outcome;
  kept.listed.record = ++keeper.last_record;
  append(RecordKind::ended, kept.listed);
  to_agent(runner_event::AttemptEnded{kept.listed});
}

void Machine::change(Kept& kept, KeptState state) {
  if (kept.listed.state == state) return;
  kept.listed.state = state;
  to_agent(runner_event::AttemptChanged{kept.listed});
}

void Machine::do_signal(const runner_effect::SignalAttempt& ask) {
  const auto known = keeper_->attempts.find(ask.key);
  if (known == keeper_->attempts.end() || known->second.listed.state == KeptState::ended) return;
  Kept& kept = known->second;
  Process& process = processes_.at(kept.pid);
  const MonotonicTime now = world_.scheduler.now();
  if (ask.signal == TaskSignal::pause) {
    if (process.paused || kept.listed.by_request) return;
    process.paused = true;
    process.left = process.ends_at - now;
    ++process.plan;
    change(kept, KeptState::paused);
    return;
  }
  if (process.paused) {
    process.paused = false;
    plan_end(kept.pid, process.left);
    if (ask.signal == TaskSignal::resume) change(kept, KeptState::running);
  }
  if (ask.signal == TaskSignal::resume || kept.listed.by_request) return;
  kept.listed.by_request = true;
  const microseconds wait = process.obeys_term ? world_.random.between(1ms, 200ms) : microseconds{ask.grace} + 100ms;
  if (process.ends_at <= now + wait) return;
  process.outcome = {OutcomeKind::signaled, process.obeys_term ? SIGTERM : SIGKILL};
  plan_end(kept.pid, wait);
}

void Machine::do_confirm(std::uint64_t record) {
  keeper_->confirmed = std::max(keeper_->confirmed, record);
  std::erase_if(keeper_->attempts, [record](const auto& each) {
    return each.second.listed.state == KeptState::ended && each.second.listed.record <= record;
  });
  append(RecordKind::confirmed, {});
  journal_.back().confirmed = keeper_->confirmed;
}

}  // namespace hakuriver::simulation
