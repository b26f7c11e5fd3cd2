#include "keeper/keeper.hpp"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "keeper/clocks.hpp"
#include "keeper/log.hpp"

namespace hakuriver::keeper {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kSignalTag = std::uint64_t{1} << 61;
constexpr std::uint64_t kMainTag = std::uint64_t{1} << 60;
constexpr std::uint64_t kReportTag = std::uint64_t{1} << 59;
constexpr std::size_t kStartsPerTurn = 16;  // so that ends are seen while many are started
constexpr auto kCommitAgain = 1s;

UnendedAttempt intent_of(const StartRequest& request) {
  UnendedAttempt intent;
  intent.key = request.key;
  intent.started_at = utc_now();
  intent.started = monotonic_now();
  intent.stdout_path = request.stdout_path;
  intent.stderr_path = request.stderr_path;
  intent.millicores = request.millicores;
  intent.memory_bytes = request.memory_bytes;
  intent.numa_node = request.numa_node;
  intent.cgroup = request.cgroup;
  const bool has_terms = request.time_limit.count() != 0 || request.reports_start || !request.control.empty();
  if (!has_terms) return intent;
  auto& terms = intent.terms.need();
  terms.time_limit = request.time_limit;
  terms.time_limit_grace = request.time_limit_grace;
  terms.reports_start = request.reports_start;
  terms.unit = request.unit;
  terms.control = request.control;
  return intent;
}

void watch(int epoll, int descriptor, std::uint64_t tag) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = tag;
  if (::epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) != 0) log_line(describe_errno("epoll", errno));
}

// SIGCHLD for children that end, not for those that stop or go on.
Descriptor child_signals() {
  struct sigaction ends_only {};
  ends_only.sa_handler = SIG_DFL;
  ends_only.sa_flags = SA_NOCLDSTOP;
  ::sigaction(SIGCHLD, &ends_only, nullptr);
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  return Descriptor(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

}  // namespace

Keeper::Keeper(KeeperSetup setup, Ledger& ledger)
    : setup_(std::move(setup)),
      ledger_(ledger),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      signals_(child_signals()),
      trees_(ledger),
      starter_(setup_.open_files),
      control_(ledger, trees_, epoll_.get()),
      link_(std::move(setup_.listener), epoll_.get(), ledger) {
  watch(epoll_.get(), signals_.get(), kSignalTag);
}

Status Keeper::run() {
  if (!epoll_ || !signals_) return io_error("epoll or signalfd", errno);
  take_up_earlier();
  idle_since_ = monotonic_now();  // whoever started it may never come
  while (true) {
    const auto waited = wait(monotonic_now());
    if (!waited) return waited;
    obey_commands();
    trees_.work(monotonic_now());
    // Before a launcher is asked to finish: with what it removes goes how the main process ended.
    commit();
    control_.work(monotonic_now());
    if (is_time_to_go(monotonic_now())) break;
  }
  for (const auto& parent : parents_) remove_parent(parent);
  return Unit{};
}

void Keeper::take_up_earlier() {
  auto unended = ledger_.take_unended();
  if (unended.empty()) return;
  auto table = ProcessTable::read();
  for (auto& record : unended) take_up(std::move(record), table);
  for (const auto& [key, attempt] : ledger_.live()) {
    const auto met = attempt->cgroup ? meet(attempt->record.cgroup) : Status(Unit{});
    if (!met) log_line(met.error().message);
  }
}

// The earlier keeper did not live to write down which process it is.
void Keeper::find_main_of(UnendedAttempt& record, const Cgroup& cgroup, ProcessTable& table) {
  std::vector<pid_t> named = cgroup.processes();
  const auto [first, last] = table.attempts().equal_range(record.key);
  for (auto process = first; process != last; ++process) named.push_back(process->second);
  for (const pid_t pid : named) {
    const auto* stat = table.find(pid);
    if (stat == nullptr || stat->session != stat->pid) continue;
    record.pid = stat->pid;
    record.start_ticks = stat->start_ticks;
  }
}

void Keeper::take_up(UnendedAttempt record, ProcessTable& table) {
  const bool was_recorded = record.pid != 0 && record.start_ticks != 0;
  Cgroup cgroup;
  if (!record.cgroup.empty()) cgroup = Cgroup(record.cgroup, record.key);
  if (!was_recorded) find_main_of(record, cgroup, table);
  auto& attempt = ledger_.add(std::move(record));
  attempt.ours = false;
  attempt.cgroup = std::move(cgroup);
  const auto* stat = attempt.pid() == 0 ? nullptr : table.find(attempt.pid());
  const bool runs = stat != nullptr && stat->start_ticks == attempt.record.start_ticks && !stat->is_dead();
  if (runs) attempt.pidfd = Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, attempt.pid(), 0)));
  attempt.main_ended = !runs || (!attempt.pidfd && errno == ESRCH);
  if (!attempt.main_ended) {
    begin_quota(attempt);
    attempt.paused = attempt.cgroup ? attempt.cgroup.is_frozen() : stat->state == 'T';
    if (attempt.controlled) attempt.paused = attempt.record.terms->held;
    if (was_recorded) {
      ledger_.remember_main(attempt);
    } else {
      ledger_.record_started(attempt);
    }
    if (attempt.pidfd) watch_main(attempt);
  }
  log_line("task " + to_string(attempt.key().task) + " of an earlier keeper " +
           (attempt.main_ended ? "has ended" : "runs as process " + std::to_string(attempt.pid())));
  trees_.take_up(attempt);
}

void Keeper::watch_main(LiveAttempt& attempt) {
  watch(epoll_.get(), attempt.pidfd.get(), kMainTag | static_cast<std::uint64_t>(attempt.pid()));
}

Status Keeper::wait(MonotonicTime now) {
  std::optional<MonotonicTime> until = trees_.next_deadline();
  const auto sooner = [&until](std::optional<MonotonicTime> time) {
    if (time && (!until || *time < *until)) until = time;
  };
  sooner(control_.next_deadline());
  sooner(guests_until_);
  sooner(commit_again_);
  if (idle_since_) sooner(*idle_since_ + setup_.linger);
  if (!link_.commands().empty()) sooner(MonotonicTime{});
  int timeout = -1;
  // Rounded up: a deadline is not to be found too early again and again.
  if (until)
    timeout =
        static_cast<int>(std::clamp<std::int64_t>((until->microseconds - now.microseconds + 999) / 1000, 0, 3'600'000));
  std::array<epoll_event, 256> events;
  const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), timeout);
  if (count < 0 && errno != EINTR) return io_error("epoll", errno);
  for (int i = 0; i < count; ++i) {
    const auto& event = events[static_cast<std::size_t>(i)];
    const auto number = static_cast<int>(event.data.u64 & 0xffffffffu);
    if ((event.data.u64 & AgentLink::kPeerTag) != 0) {
      link_.on_ready(number, (event.events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0);
    } else if ((event.data.u64 & kSignalTag) != 0) {
      on_signals();
    } else if ((event.data.u64 & Control::kCallTag) != 0) {
      control_.on_ready(number);
    } else if ((event.data.u64 & kReportTag) != 0) {
      auto* reporting = ledger_.find_main(number);
      if (reporting != nullptr) trees_.read_report(*reporting, false);
    } else if (auto* attempt = ledger_.find_main(number); attempt != nullptr && !attempt->main_ended) {
      trees_.main_ended(*attempt);
    }
  }
  return Unit{};
}

void Keeper::on_signals() {
  signalfd_siginfo signal;
  while (::read(signals_.get(), &signal, sizeof signal) == static_cast<ssize_t>(sizeof signal)) {
  }
  trees_.children_changed();
}

void Keeper::obey_commands() {
  auto& commands = link_.commands();
  std::vector<StartRequest> starts;
  std::size_t left = kStartsPerTurn;
  while (!commands.empty() && left > 0) {
    Command command = std::move(commands.front());
    commands.pop_front();
    if (auto* request = std::get_if<StartRequest>(&command)) {
      starts.push_back(std::move(*request));
      --left;
      continue;
    }
    start_all(starts);  // a signal may be for one of them
    if (const auto* order = std::get_if<SignalOrder>(&command)) {
      auto* attempt = ledger_.find(order->key);
      if (attempt != nullptr) trees_.ask(*attempt, order->signal, order->grace);
    } else {
      ledger_.confirm(std::get<ConfirmOrder>(command).record);
    }
  }
  start_all(starts);
}

void Keeper::start_all(std::vector<StartRequest>& requests) {
  std::vector<UnendedAttempt> intents;
  std::vector<const StartRequest*> fresh;
  for (const auto& request : requests) {
    const auto is_this = [&](const StartRequest* other) { return other->key == request.key; };
    if (ledger_.knows(request.key) || std::any_of(fresh.begin(), fresh.end(), is_this)) continue;
    intents.push_back(intent_of(request));
    fresh.push_back(&request);
  }
  if (fresh.empty()) return requests.clear();
  int error = 0;
  const auto written = ledger_.intend(intents, error);
  for (std::size_t i = 0; i < fresh.size(); ++i) {
    auto& attempt = ledger_.add(std::move(intents[i]));
    if (written) {
      start_one(*fresh[i], attempt);
    } else {
      ledger_.end(attempt, Outcome{OutcomeKind::never_started, error}, {}, written.error().message);
    }
  }
  requests.clear();
}

// The first attempt below a parent finds there what an earlier keeper's attempts may have left.
Status Keeper::meet(const CgroupParent& parent) {
  if (std::find(parents_.begin(), parents_.end(), parent) != parents_.end()) return Unit{};
  auto made = make_parent(parent);
  if (!made) return made;
  parents_.push_back(parent);
  for (const auto& key : attempts_below(parent)) {
    const auto* known = ledger_.find(key);
    if (known != nullptr && known->cgroup) continue;
    if (!Cgroup(parent, key).remove()) {
      log_line("the cgroup of task " + to_string(key.task) + ", which is not known here, has processes");
    }
  }
  return made;
}

std::optional<StartFailure> Keeper::make_cgroup(const StartRequest& request, LiveAttempt& attempt) {
  if (request.cgroup.empty()) return std::nullopt;
  int error = EIO;
  auto made = meet(request.cgroup);
  attempt.cgroup = Cgroup(request.cgroup, request.key);
  if (made) made = attempt.cgroup.make(request.millicores, request.memory_bytes, error);
  if (!made && error == ENOENT) {
    // An agent that tries whether it can make cgroups removes what it made, and so may somebody else.
    made = make_parent(request.cgroup);
    attempt.cgroup = Cgroup(request.cgroup, request.key);
    if (made) made = attempt.cgroup.make(request.millicores, request.memory_bytes, error);
  }
  if (made) return std::nullopt;
  return StartFailure{{OutcomeKind::never_started, error}, "making its cgroup: " + made.error().message};
}

void Keeper::start_one(const StartRequest& request, LiveAttempt& attempt) {
  Spawned spawned;
  auto failure = make_cgroup(request, attempt);
  Descriptor report;
  if (!failure) failure = open_report(request, attempt, report);
  const auto before = ticks_since_boot();
  if (!failure) failure = starter_.start(request, attempt.cgroup, report.get(), spawned);
  if (failure) {
    attempt.cgroup.remove();
    return ledger_.end(attempt, failure->outcome, {}, failure->message);
  }
  attempt.record.pid = spawned.pid;
  attempt.pidfd = std::move(spawned.pidfd);
  attempt.record.start_ticks = start_ticks_since(before, spawned.pid);
  ledger_.record_started(attempt);
  begin_quota(attempt);
  watch_main(attempt);
  if (attempt.report)
    watch(epoll_.get(), attempt.report->descriptor(), kReportTag | static_cast<std::uint64_t>(spawned.pid));
  trees_.watch_limit(attempt);
}

// It was tried when the cgroup was made: what fails now is somebody else's doing, and no reason to end what has begun.
void Keeper::begin_quota(const LiveAttempt& attempt) {
  const auto begun = attempt.cgroup.begin_quota(attempt.record.millicores);
  if (!begun) log_line("task " + to_string(attempt.key().task) + ": " + begun.error().message);
}

std::optional<StartFailure> Keeper::open_report(const StartRequest& request, LiveAttempt& attempt, Descriptor& end) {
  if (!request.reports_start) return std::nullopt;
  attempt.report = std::make_unique<StartReport>();
  auto opened = attempt.report->open();
  if (!opened) return StartFailure{{OutcomeKind::never_started, errno}, opened.error().message};
  end = std::move(*opened);
  return std::nullopt;
}

void Keeper::commit() {
  std::vector<AttemptEvent> events;
  const auto written = ledger_.commit(events);
  commit_again_ = written ? std::nullopt : std::optional(monotonic_now() + kCommitAgain);
  link_.tell(events);
}

bool Keeper::is_time_to_go(MonotonicTime now) {
  guests_until_ = link_.drop_silent(now);
  if (!ledger_.live().empty() || link_.has_agent() || guests_until_ || !link_.commands().empty()) {
    idle_since_.reset();
    return false;
  }
  if (!idle_since_) idle_since_ = now;
  if (now < *idle_since_ + setup_.linger) return false;
  // Ends that nobody has confirmed are kept for as long as somebody can come for them.
  if (ledger_.is_idle() || ::access("keeper.sock", F_OK) != 0) return true;
  idle_since_ = now;
  return false;
}

}  // namespace hakuriver::keeper
