#include "service/runner_service.hpp"

#include <poll.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <utility>

#include "service/runner_calls.hpp"

namespace hakuriver::service {
namespace {

constexpr std::int32_t kNodeFault = EIO;

timespec to_timespec(std::chrono::microseconds span) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(span);
  return {static_cast<time_t>(seconds.count()), static_cast<long>((span - seconds).count() * 1000)};
}

// Whether the connection to the keeper is of no more use.
bool is_lost(const Error& error) { return error.code == Errc::unavailable || error.code == Errc::io; }

}  // namespace

Result<std::unique_ptr<RunnerService>> RunnerService::open(RunnerServiceOptions options, RunnerPorts ports) {
  if (!is_node_name(options.world.node)) {
    return Error{Errc::invalid_argument,
                 "'" + options.world.node + "' is not a node's name: expected 1 to 63 of A-Z a-z 0-9 . _ -"};
  }
  auto wake = WakeDescriptor::open();
  if (!wake) return wake.error();
  return std::unique_ptr<RunnerService>(new RunnerService(std::move(options), std::move(ports), std::move(*wake)));
}

RunnerService::RunnerService(RunnerServiceOptions options, RunnerPorts ports, WakeDescriptor wake)
    : wake_(std::move(wake)),
      ports_(std::move(ports)),
      shared_dir_(options.world.shared_dir),
      builder_(options.world),
      state_(make_runner(options.world.node, options.runner_id, std::move(options.facts), options.policy)),
      orders_(ports_.connect),
      talk_(ports_.connect),
      output_(ports_.connect, options.world.node, options.world.shared_dir) {
  keeper_events_.started = [this](const KeptAttempt& it) { pending_.emplace_back(runner_event::AttemptStarted{it}); };
  keeper_events_.changed = [this](const KeptAttempt& it) { pending_.emplace_back(runner_event::AttemptChanged{it}); };
  keeper_events_.ended = [this](const KeptAttempt& it) {
    if (it.outcome.kind == OutcomeKind::never_started && ports_.start_failed) ports_.start_failed();
    pending_.emplace_back(runner_event::AttemptEnded{it});
  };
  keeper_events_.gone = [this](const Error& error) { lose_keeper(error); };
}

Status RunnerService::serve() {
  now_ = ports_.now();
  feed(runner_event::Start{});
  while (!is_stopped_) {
    wait();
    turn();
  }
  return Unit{};
}

void RunnerService::stop(RunnerStop how) noexcept {
  const int wish = static_cast<int>(how) + 1;
  int before = wish_.load();
  while (before < wish && !wish_.compare_exchange_weak(before, wish)) {
  }
  wake_.set();
}

void RunnerService::ask(Question question) {
  {
    const std::lock_guard lock(mutex_);
    questions_.push_back(std::move(question));
  }
  wake_.set();
}

void RunnerService::change_facts(NodeFacts facts) { post(runner_event::FactsChanged{std::move(facts)}); }

void RunnerService::post(What what) {
  {
    const std::lock_guard lock(mutex_);
    inbox_.push_back(std::move(what));
  }
  wake_.set();
}

void RunnerService::wait() {
  std::array<pollfd, 2> files{{{wake_.get(), POLLIN, 0}, {has_keeper_ ? ports_.keeper->descriptor() : -1, POLLIN, 0}}};
  const auto next = next_wakeup(state_);
  timespec limit{};
  if (next) limit = to_timespec(std::max(*next - ports_.now().monotonic, std::chrono::microseconds{0}));
  ::ppoll(files.data(), files.size(), next ? &limit : nullptr, nullptr);
  if (files[0].revents != 0) wake_.clear();
  if (files[1].revents != 0) take_keeper_events();
}

// What happens while events are taken in joins them at the end of the line.
void RunnerService::turn() {
  now_ = ports_.now();
  take_wish();
  take_health();
  take_inbox();
  take_time();
  while (!pending_.empty() && !is_stopped_) {
    What what = std::move(pending_.front());
    pending_.pop_front();
    feed(std::move(what));
  }
  output_.set_active(state_.phase == RunnerPhase::registered && !is_stopped_);
}

void RunnerService::take_wish() {
  const int wish = wish_.load();
  if (wish == heard_) return;
  heard_ = wish;
  const auto how = static_cast<RunnerStop>(wish - 1);
  if (how == RunnerStop::at_once) {
    is_stopped_ = true;
  } else {
    pending_.emplace_back(runner_event::Stop{how == RunnerStop::end_tasks});
  }
}

void RunnerService::take_inbox() {
  std::vector<What> news;
  std::vector<Question> questions;
  {
    const std::lock_guard lock(mutex_);
    news.swap(inbox_);
    questions.swap(questions_);
  }
  for (auto& what : news) pending_.push_back(std::move(what));
  for (const auto& question : questions) question(state_);
}

void RunnerService::take_keeper_events() { ports_.keeper->dispatch(keeper_events_); }

// Health is read no more often than twice for each report of an idle node, however busy this one is, and first before
// the answer to the registration is taken: the first report tells it.
void RunnerService::take_health() {
  const bool is_told = state_.phase == RunnerPhase::registering || state_.phase == RunnerPhase::registered;
  if (!is_told || (health_at_ && now_.monotonic < *health_at_)) return;
  health_at_ = now_.monotonic + state_.report_interval / 2;
  if (const auto health = ports_.health()) pending_.emplace_back(runner_event::HealthRead{*health});
}

void RunnerService::take_time() {
  const auto next = next_wakeup(state_);
  if (next && *next <= now_.monotonic) pending_.emplace_back(runner_event::Tick{});
}

void RunnerService::feed(What what) {
  transition(state_, RunnerEvent{now_.monotonic, ports_.random(), std::move(what)}, effects_);
  for (auto& effect : effects_) {
    std::visit([this](auto& each) { perform(each); }, effect);
  }
  effects_.clear();
}

void RunnerService::perform(runner_effect::SayHello& effect) {
  talk_.ask(ask_host(std::move(effect), [this](What what) { post(std::move(what)); }));
}

void RunnerService::perform(runner_effect::Register& effect) {
  talk_.ask(ask_host(std::move(effect), [this](What what) { post(std::move(what)); }));
}

void RunnerService::perform(runner_effect::AskOrders& effect) {
  orders_.ask(ask_host(std::move(effect), [this](What what) { post(std::move(what)); }));
}

void RunnerService::perform(runner_effect::SendReport& effect) {
  talk_.ask(ask_host(std::move(effect), [this](What what) { post(std::move(what)); }));
}

void RunnerService::perform(runner_effect::SayGoodbye& effect) {
  talk_.ask(ask_host(std::move(effect), [this](What what) { post(std::move(what)); }));
}

void RunnerService::perform(runner_effect::TakeKeeperOver& effect) {
  auto listing = ports_.keeper->take_over(effect.cluster_id, effect.epoch);
  has_keeper_ = listing.has_value();
  if (listing) {
    pending_.emplace_back(runner_event::KeeperTaken{effect.call, std::move(*listing)});
  } else {
    pending_.emplace_back(runner_event::KeeperRefused{effect.call, std::move(listing).error()});
  }
}

void RunnerService::perform(runner_effect::StartAttempt& effect) {
  const auto fails = [this, &effect](std::int32_t number, const Error& error) {
    pending_.emplace_back(runner_event::StartFailed{effect.key, number, error.message});
  };
  if (prepared_for_ != effect.batch) {
    if (const auto made = create_output_directories(shared_dir_); !made) return fails(kNodeFault, made.error());
    prepared_for_ = effect.batch;
  }
  const auto request = builder_.build(effect.key, effect.batch, effect.numa_node, effect.spec);
  if (!request) return fails(kNodeFault, request.error());
  const auto started = ports_.keeper->start(**request);
  if (started) return;
  // Whether a keeper that is gone has heard of it, the next listing tells.
  if (is_lost(started.error())) return lose_keeper(started.error());
  fails(started.error().code == Errc::invalid_argument ? kNeverTakes : kNodeFault, started.error());
}

void RunnerService::perform(runner_effect::SignalAttempt& effect) {
  take_keeper_status(ports_.keeper->signal(effect.key, effect.signal, effect.grace));
}

void RunnerService::perform(runner_effect::ConfirmRecords& effect) {
  take_keeper_status(ports_.keeper->confirm(effect.record));
}

void RunnerService::perform(runner_effect::Note& effect) {
  const bool is_good = state_.phase == RunnerPhase::registered;
  ports_.log->write(is_good ? LogLevel::info : LogLevel::warning, effect.text);
}

void RunnerService::perform(runner_effect::Stopped&) { is_stopped_ = true; }

void RunnerService::lose_keeper(const Error& error) {
  if (!has_keeper_) return;
  has_keeper_ = false;
  pending_.emplace_back(runner_event::KeeperGone{error.message});
}

void RunnerService::take_keeper_status(const Status& status) {
  if (status) return;
  if (is_lost(status.error())) {
    lose_keeper(status.error());
  } else {
    ports_.log->warning("keeper: " + status.error().message);
  }
}

}  // namespace hakuriver::service
