#include "service/host_service.hpp"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "hakuriver/host/recovery.hpp"
#include "hakuriver/host/transition.hpp"
#include "service/host_pace.hpp"
#include "service/spec_cache.hpp"

namespace hakuriver::service {

namespace {

using EventBody = decltype(HostEvent::what);

struct PostedEvent {
  Now at;
  EventBody what;
  HostAnswer answer;
};
struct Watch {
  MonotonicTime deadline;
  WatchEnd end;
  std::uint64_t below = 1;  // unfinished tasks of a batch
};
struct PostedWatch {
  std::uint64_t id = 0;
  Watch watch;
};
using Posted = std::variant<PostedEvent, HostQuestion, PostedWatch>;

const Error kStopping{Errc::unavailable, "the host is stopping"};

void set_token(EventBody& what, ReplyToken token) {
  std::visit(
      [token](auto& event) {
        if constexpr (requires { event.token; }) event.token = token;
      },
      what);
}

ReplyToken token_of(const HostAction& action) {
  return std::visit(
      [](const auto& each) {
        if constexpr (requires { each.token; }) {
          return each.token;
        } else {
          return ReplyToken{};
        }
      },
      action);
}

bool is_over(const HostState& state, std::uint64_t id, std::uint64_t below) {
  const auto whole = state.batches.find(BatchId{id});
  if (whole != state.batches.end()) return unfinished(*whole) < below;
  const Batch* batch = find_batch(state, TaskId{id});
  return batch == nullptr || is_final(status_of(*batch, TaskId{id}));
}

}  // namespace

struct HostService::Impl {
  Impl(TaskStore& the_store, std::function<Result<std::unique_ptr<TaskReader>>()> reader_opener, LogSink& the_log,
       HostServiceOptions the_options)
      : store(the_store), open_reader(std::move(reader_opener)), log(the_log), options(std::move(the_options)) {}

  // Constant after construction.
  TaskStore& store;
  const std::function<Result<std::unique_ptr<TaskReader>>()> open_reader;
  LogSink& log;
  const HostServiceOptions options;

  // Guarded by mutex.
  std::mutex mutex;
  std::condition_variable wake;
  std::vector<Posted> inbox;
  bool stopping = false;

  // Owned by the thread.
  std::optional<HostState> state;  // none: the store could not be read
  MonotonicTime retry_at;          // after a failed commit nothing is tried before this
  std::string trouble;             // why the last commit failed; empty: it did not
  std::unique_ptr<TaskReader> reader;
  SpecCache specs;
  std::uint64_t last_token = 0;
  std::unordered_map<std::uint64_t, HostAnswer> answers;
  std::multimap<std::uint64_t, Watch> watches;
  MonotonicTime last_tick;
  bool trust_restored = false;
  bool superseded = false;  // HostState::superseded, for it outlives the state

  std::thread thread;

  Status load();
  void run();
  MonotonicTime next_turn() const;
  bool wait_for_posts(std::vector<Posted>& posts);
  void take_turn(std::vector<Posted>& posts);
  void take_event(PostedEvent& event, Decisions& decisions);
  void answer_questions(std::vector<Posted>& posts, Now now);
  void refuse(const HostAnswer& answer) const;
  void fail_turn(const Error& error);
  void act(HostAction action);
  void add_specs(OrderBundle& bundle);
  void tell_watches(const host_action::TasksChanged& change);
  void expire_watches(MonotonicTime now);
  void end_all();
  Result<std::shared_ptr<const TaskSpec>> spec(BatchId batch);
};

Status HostService::Impl::load() {
  auto stored = store.load();
  if (!stored) return stored.error();
  const StoreTrust trust = trust_restored ? StoreTrust::restored : StoreTrust::complete;
  state = recover(std::move(*stored), options.policy, options.clock(), trust);
  state->superseded = superseded;
  return Unit{};
}

void HostService::Impl::run() {
  std::vector<Posted> posts;
  while (wait_for_posts(posts)) {
    take_turn(posts);
    posts.clear();
  }
  take_turn(posts);
  end_all();
}

// When there is something to do though nobody says anything.
MonotonicTime HostService::Impl::next_turn() const {
  const MonotonicTime now = options.clock().monotonic;
  if (!state || now < retry_at || !watches.empty()) return now + std::chrono::seconds(1);
  return next_tick(*state, last_tick);
}

// False at the stop; `posts` then holds the last of them.
bool HostService::Impl::wait_for_posts(std::vector<Posted>& posts) {
  const auto at_most = next_turn() - options.clock().monotonic;
  std::unique_lock lock(mutex);
  wake.wait_for(lock, at_most, [this] { return stopping || !inbox.empty(); });
  posts.swap(inbox);
  return !stopping;
}

void HostService::Impl::take_turn(std::vector<Posted>& posts) {
  const Now now = options.clock();
  if (!state && retry_at <= now.monotonic) {
    const Status loaded = load();
    if (!loaded) fail_turn(loaded.error());
  }
  Decisions decisions;
  bool ticked = false;
  for (auto& post : posts) {
    if (auto* event = std::get_if<PostedEvent>(&post)) take_event(*event, decisions);
  }
  if (state && retry_at <= now.monotonic) {
    if (now.monotonic - last_tick >= std::chrono::milliseconds(900)) {
      last_tick = now.monotonic;
      ticked = true;
      handle(*state, {now, host_event::Tick{}}, decisions);
    }
    settle(*state, now, decisions);
    const Status committed = decisions.records.empty() ? Status{Unit{}} : store.commit(decisions.records);
    if (!committed) {
      decisions.actions.clear();
      fail_turn(committed.error());
    } else if (!decisions.records.empty() && !trouble.empty()) {
      log.info("the database can be written again");
      trouble.clear();
    }
  }
  if (ticked && state && options.watch_health) options.watch_health(*state, now);
  // Orders leave first: nodes are idle until they have them, while who submitted has only to be told.
  const auto is_order = [](const HostAction& action) {
    return std::holds_alternative<host_action::AnswerPoll>(action);
  };
  std::stable_partition(decisions.actions.begin(), decisions.actions.end(), is_order);
  for (auto& action : decisions.actions) act(std::move(action));
  answer_questions(posts, now);
  expire_watches(now.monotonic);
}

void HostService::Impl::answer_questions(std::vector<Posted>& posts, Now now) {
  for (auto& post : posts) {
    if (const auto* question = std::get_if<HostQuestion>(&post)) {
      if (state) (*question)(*state, now);
    } else if (auto* watch = std::get_if<PostedWatch>(&post)) {
      if (!state || is_over(*state, watch->id, watch->watch.below)) {
        watch->watch.end(state.has_value());
      } else {
        watches.emplace(watch->id, std::move(watch->watch));
      }
    }
  }
}

void HostService::Impl::take_event(PostedEvent& event, Decisions& decisions) {
  if (!state || event.at.monotonic < retry_at) {
    refuse(event.answer);
    return;
  }
  const ReplyToken token{event.answer ? ++last_token : 0};
  set_token(event.what, token);
  if (token.value != 0) answers.emplace(token.value, std::move(event.answer));
  if (const auto* submission = std::get_if<host_event::Submit>(&event.what)) {
    const std::uint64_t before = state->last_id;
    handle(*state, {event.at, event.what}, decisions);
    if (state->last_id != before) specs.keep(std::prev(state->batches.end())->id, submission->spec);
    return;
  }
  handle(*state, {event.at, std::move(event.what)}, decisions);
}

void HostService::Impl::refuse(const HostAnswer& answer) const {
  if (answer) answer(Error{Errc::unavailable, trouble.empty() ? kStopping.message : trouble});
}

// Nothing of the turn happened: whoever waits is told so, and memory is made again from what is on disk.
void HostService::Impl::fail_turn(const Error& error) {
  if (trouble.empty()) log.error("nothing was written and nothing is done: " + error.message);
  trouble = "the host cannot write its database: " + error.message;
  retry_at = options.clock().monotonic + std::chrono::seconds(1);
  if (state) superseded = state->superseded;
  state.reset();
  for (const auto& [token, answer] : std::exchange(answers, {})) refuse(answer);
  const Status loaded = load();
  if (!loaded) log.error("the database cannot be read: " + loaded.error().message);
}

void HostService::Impl::act(HostAction action) {
  if (const auto* change = std::get_if<host_action::TasksChanged>(&action)) {
    tell_watches(*change);
    return;
  }
  if (const auto* note = std::get_if<host_action::Note>(&action)) {
    log.info(note->text);
    return;
  }
  if (auto* poll = std::get_if<host_action::AnswerPoll>(&action)) {
    if (auto* bundle = std::get_if<OrderBundle>(&poll->answer)) add_specs(*bundle);
  }
  const auto found = answers.find(token_of(action).value);
  if (found == answers.end()) return;
  const HostAnswer answer = std::move(found->second);
  answers.erase(found);
  answer(std::move(action));
}

// The specs that the orders need. A prefix of the orders is sent where they would be too large together: the rest
// stays in the node's outbox, for its next poll.
void HostService::Impl::add_specs(OrderBundle& bundle) {
  constexpr std::size_t kMostBytes = std::size_t{8} << 20;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < bundle.orders.size(); ++i) {
    const Order& order = bundle.orders[i];
    if (order.kind != OrderKind::start || bundle.specs.count(order.batch) != 0) continue;
    if (bytes > kMostBytes) {
      bundle.orders.resize(i);
      return;
    }
    auto found = spec(order.batch);
    if (!found) {
      log.error("batch " + to_string(order.batch) + ": " + found.error().message);
      bundle.orders.resize(i);
      return;
    }
    bytes += size_of(**found);
    bundle.specs.emplace(order.batch, std::move(*found));
  }
}

void HostService::Impl::tell_watches(const host_action::TasksChanged& change) {
  if (watches.empty() || !is_final(change.status) || !state) return;
  const auto end_watches = [this](std::uint64_t id) {
    const auto last = watches.upper_bound(id);
    for (auto each = watches.lower_bound(id); each != last;) {
      const bool is_ended = is_over(*state, id, each->second.below);
      if (is_ended) each->second.end(true);
      each = is_ended ? watches.erase(each) : std::next(each);
    }
  };
  const std::uint64_t end = change.first.value + change.count;
  for (auto at = watches.lower_bound(change.first.value); at != watches.end() && at->first < end;) {
    const std::uint64_t id = at->first;
    end_watches(id);
    at = watches.upper_bound(id);
  }
  end_watches(change.batch.value);
}

void HostService::Impl::expire_watches(MonotonicTime now) {
  for (auto at = watches.begin(); at != watches.end();) {
    if (now < at->second.deadline) {
      ++at;
      continue;
    }
    at->second.end(false);
    at = watches.erase(at);
  }
}

void HostService::Impl::end_all() {
  for (const auto& [token, answer] : std::exchange(answers, {})) answer(kStopping);
  for (const auto& [id, watch] : std::exchange(watches, {})) watch.end(false);
}

Result<std::shared_ptr<const TaskSpec>> HostService::Impl::spec(BatchId batch) {
  if (auto kept = specs.find(batch)) return kept;
  auto read = reader->spec(batch);
  if (read) specs.keep(batch, *read);
  return read;
}

HostService::HostService(TaskStore& store, std::function<Result<std::unique_ptr<TaskReader>>()> open_reader,
                         LogSink& log, HostServiceOptions options)
    : impl_(std::make_unique<Impl>(store, std::move(open_reader), log, std::move(options))) {}

HostService::~HostService() { stop(); }

Status HostService::start() {
  impl_->trust_restored = impl_->options.accept_restore;
  Status loaded = impl_->load();
  if (!loaded) return loaded;
  if (std::exchange(impl_->trust_restored, false)) {
    Status committed = impl_->store.commit(records_of_restored(*impl_->state));
    if (!committed) return committed;
  }
  auto reader = impl_->open_reader();
  if (!reader) return reader.error();
  impl_->reader = std::move(*reader);
  impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
  return Unit{};
}

void HostService::stop() noexcept {
  if (!impl_->thread.joinable()) return;
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->wake.notify_one();
  impl_->thread.join();
}

namespace {

template <class Item>
bool put(HostService&, std::mutex& mutex, std::condition_variable& wake, std::vector<Posted>& inbox,
         const bool& stopping, Item item) {
  const std::lock_guard lock(mutex);
  if (stopping) return false;
  inbox.emplace_back(std::move(item));
  if (inbox.size() == 1) wake.notify_one();
  return true;
}

}  // namespace

void HostService::post(EventBody what, HostAnswer answer) {
  const HostAnswer refused = answer;
  PostedEvent event{impl_->options.clock(), std::move(what), std::move(answer)};
  if (!put(*this, impl_->mutex, impl_->wake, impl_->inbox, impl_->stopping, std::move(event)) && refused) {
    refused(kStopping);
  }
}

void HostService::ask(HostQuestion question) {
  put(*this, impl_->mutex, impl_->wake, impl_->inbox, impl_->stopping, std::move(question));
}

void HostService::watch(std::uint64_t id, std::chrono::milliseconds at_most, WatchEnd end) {
  watch_batch(BatchId{id}, 1, at_most, std::move(end));
}

void HostService::watch_batch(BatchId batch, std::uint64_t below, std::chrono::milliseconds at_most, WatchEnd end) {
  const WatchEnd refused = end;
  PostedWatch posted{batch.value, {impl_->options.clock().monotonic + at_most, std::move(end), below}};
  if (!put(*this, impl_->mutex, impl_->wake, impl_->inbox, impl_->stopping, std::move(posted))) refused(false);
}

Result<std::shared_ptr<const TaskSpec>> HostService::spec(BatchId batch) { return impl_->spec(batch); }

}  // namespace hakuriver::service
