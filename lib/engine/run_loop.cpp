#include "engine/run_loop.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "engine/child_defaults.hpp"
#include "engine/child_process.hpp"
#include "engine/machine_room.hpp"
#include "engine/write_all.hpp"
#include "hakuriver/run/quoted_text.hpp"
#include "platform/system_error.hpp"

namespace hakuriver::engine {
namespace {

// Between two looks at a machine that has no room.
constexpr std::chrono::milliseconds kRoomInterval{500};

// Starts, and commands that are left out, before events are looked at again.
constexpr int kMostAtOnce = 1000;

constexpr std::uint64_t kAnyNumber = ~std::uint64_t{0};

SchedulePolicy policy_of(const RunOptions& options, const BackendTraits& traits) {
  SchedulePolicy policy;
  policy.places = traits.places > 0 ? traits.places : options.jobs;
  policy.longest_range = traits.longest_range;
  policy.retries = options.retries;
  policy.backoff = options.backoff;
  if (!traits.keeps_time_limits) policy.time_limit = options.time_limit;
  policy.term_grace = options.term_grace;
  policy.halt = options.halt;
  policy.delay = options.delay;
  policy.most_ahead = options.most_ahead;
  return policy;
}

AttemptReport report_of(const AttemptEnd& end) {
  AttemptReport report;
  report.exited_well = end.outcome == Outcome{OutcomeKind::exited, 0};
  report.signaled = end.outcome.kind == OutcomeKind::signaled;
  report.timed_out = end.timed_out;
  report.elapsed = end.elapsed;
  return report;
}

}  // namespace

RunLoop::RunLoop(const Plan& plan, const RunOptions& options, const RunEvents& events, Backend& backend,
                 RunRecords& records)
    : plan_(plan),
      options_(options),
      events_(events),
      backend_(backend),
      records_(records),
      selection_(plan.size(), options.selection),
      schedule_(selection_.size(), policy_of(options, backend.traits())),
      variables_(plan.size(), records.run) {}

RunLoop::~RunLoop() {
  if (options_.control != nullptr) options_.control->impl().attach(nullptr);
}

Result<RunSummary> RunLoop::run() {
  const auto begin = monotonic_now();
  auto status = prepare();
  if (status) status = loop();
  if (!status) return status.error();
  if (failure_) return *failure_;
  auto summary = schedule_.summary();
  summary.changed = changed_;
  summary.interrupted = interrupted_;
  summary.elapsed = monotonic_now() - begin;
  return summary;
}

Status RunLoop::prepare() {
  if (options_.watched_fd >= 0) {
    const auto watched = backend_.watch(options_.watched_fd);
    if (!watched) return watched;
  }
  if (options_.control == nullptr) return Unit{};
  options_.control->impl().attach(this);
  return backend_.watch(options_.control->impl().wake.get());
}

Status RunLoop::loop() {
  while (true) {
    const bool more = start_more();
    if (schedule_.is_finished() && backend_.settle()) return Unit{};
    obey_schedule();
    const auto waited = backend_.wait(wait_until(more), *this);
    if (!waited) return waited;
    if (ask_for_room_at_ && monotonic_now() >= *ask_for_room_at_) {
      ask_for_room_at_.reset();
      schedule_.release();
    }
  }
}

// Tells whether there is more to start at once, after a look at what has happened.
bool RunLoop::start_more() {
  for (int i = 0; i < kMostAtOnce; ++i) {
    const auto now = monotonic_now();
    Live live;
    if (records_.earlier && leaves_out(now, live)) continue;
    const auto start = schedule_.next(now, records_.earlier ? 1 : kAnyNumber);
    if (!start) return false;
    if (!has_room()) {
      schedule_.hold(*start);
      return false;
    }
    const auto answer = start->count > 1 ? start_range(*start) : start_one(*start, std::move(live));
    if (answer == StartAnswer::later) schedule_.refused(*start);
  }
  return true;
}

// Whether the next command is done by what the journal says; else it is made.
bool RunLoop::leaves_out(MonotonicTime now, Live& live) {
  const auto position = schedule_.next_untried(now);
  if (!position) return false;
  const std::uint64_t index = selection_.at(*position);
  live.command = plan_.at(index);
  live.text = journal_text(live.command.argv);
  const auto known = records_.earlier->find(journal_text(std::string_view(live.command.name)), live.text);
  const bool is_changed = known == JournalIndex::Known::changed;
  if (is_changed && changed_++ == 0) {
    notice("the command has changed since the journal '" + options_.joblog +
           "' was written: " + shell_quote(live.command.argv) +
           (options_.retry_failed ? " did not fail before" : " runs, whatever its parameters gave before"));
  }
  const bool wanted =
      options_.retry_failed ? known == JournalIndex::Known::failed : known != JournalIndex::Known::succeeded;
  if (wanted) return false;
  schedule_.skip();
  if (events_.skipped) events_.skipped(index);
  return true;
}

bool RunLoop::has_room() {
  const RoomNeeded needed{options_.max_load, options_.min_free_memory_bytes};
  if ((needed.max_load > 0 || needed.min_free_memory_bytes > 0) && !has_machine_room(needed)) {
    ask_for_room_at_ = monotonic_now() + kRoomInterval;
    return false;
  }
  if (!records_.jobserver || holds_jobserver_place_) return true;
  holds_jobserver_place_ = records_.jobserver->take();
  if (!holds_jobserver_place_ && !std::exchange(watches_jobserver_, true)) {
    if (!backend_.watch(records_.jobserver->descriptor())) ask_for_room_at_ = monotonic_now() + kRoomInterval;
  }
  return holds_jobserver_place_;
}

StartAnswer RunLoop::start_one(const PlannedStart& start, Live live) {
  const std::uint64_t index = selection_.at(start.first);
  live.position = start.first;
  if (live.command.argv.empty()) live.command = plan_.at(index);
  if (records_.journal && live.text.empty()) live.text = journal_text(live.command.argv);
  live.slot = take_slot();
  if (!prepare_child(live, index)) return StartAnswer::later;

  live.has_jobserver_place = std::exchange(holds_jobserver_place_, false);
  Live& kept = live_.insert_or_assign(index, std::move(live)).first->second;
  StartOrder order;
  order.first = index;
  order.attempt = start.attempt;
  order.slot = kept.slot;
  order.command = &kept.command;
  if (options_.children.run_variables) order.variables = &variables_.of(kept.command, index, kept.slot, start.attempt);
  if (!first_stdin_given_) order.stdin_fd = options_.children.first_stdin;
  order.stdout_fd = kept.folder.out.get();
  order.stderr_fd = kept.folder.err.get();
  const auto answer = backend_.start(order, *this);
  const auto place = live_.find(index);
  if (place == live_.end()) return answer;  // it has ended already
  if (answer == StartAnswer::later) {
    holds_jobserver_place_ = place->second.has_jobserver_place;
    free_slots_.push(place->second.slot);
    live_.erase(place);
    return answer;
  }
  first_stdin_given_ = true;
  if (!options_.capture) place->second.folder.close();
  return answer;
}

// Its slot's variables and number, and where its results go. False: the run has failed.
bool RunLoop::prepare_child(Live& live, std::uint64_t index) {
  fill_slot(live.command, live.slot);
  const auto& of_slots = options_.children.slot_environment;
  if (!of_slots.empty()) {
    for (const auto& entry : of_slots[(live.slot - 1) % of_slots.size()]) {
      set_variable(live.command.environment, entry);
    }
  }
  if (!records_.results) return true;
  const auto name_of = [this](std::uint64_t number) {
    return number >= 1 && number <= plan_.size() ? plan_.at(number - 1).name : std::string();
  };
  auto folder = records_.results->begin(live.command, index + 1, name_of);
  if (folder) {
    live.folder = std::move(*folder);
    return true;
  }
  fail(folder.error());
  return false;
}

// The backend makes the commands by itself.
StartAnswer RunLoop::start_range(const PlannedStart& start) {
  StartOrder order;
  order.first = selection_.at(start.first);
  order.count = start.count;
  order.attempt = start.attempt;
  return backend_.start(order, *this);
}

std::uint32_t RunLoop::take_slot() {
  if (free_slots_.empty()) return ++slots_;
  const auto slot = free_slots_.top();
  free_slots_.pop();
  return slot;
}

std::optional<MonotonicTime> RunLoop::wait_until(bool more) const {
  if (more) return MonotonicTime{};
  auto at = schedule_.wake_at();
  if (ask_for_room_at_) at = at ? std::min(*at, *ask_for_room_at_) : *ask_for_room_at_;
  return at;
}

void RunLoop::obey_schedule() {
  if (schedule_.is_finishing() && !std::exchange(has_withdrawn_, true)) backend_.withdraw();
  for (const auto& order : schedule_.due(monotonic_now())) {
    if (order.position) {
      backend_.stop(selection_.at(*order.position), order.how);
    } else {
      backend_.stop_all(order.how);
    }
  }
}

void RunLoop::started(std::uint64_t index, std::uint32_t attempt, std::int64_t process) {
  if (!events_.started) return;
  const auto found = live_.find(index);
  if (found != live_.end()) {
    events_.started({index, attempt, found->second.slot, process, found->second.command});
  } else {
    events_.started({index, attempt, 0, process, plan_.at(index)});  // in a range
  }
}

void RunLoop::output(std::uint64_t index, std::uint32_t attempt, OutputStream stream, std::string_view bytes) {
  const auto found = live_.find(index);
  if (found != live_.end()) {
    Live& live = found->second;
    if (stream == OutputStream::out) live.output_bytes += bytes.size();
    const auto& file = stream == OutputStream::out ? live.folder.out : live.folder.err;
    const int error = file.is_open() ? write_all(file.get(), bytes) : 0;
    if (error != 0) fail(platform::system_error("cannot write the output in '" + live.folder.path + "'", error));
  }
  if (events_.output) events_.output({index, attempt, stream, bytes});
}

// A command that was started in a range is made here for the first time.
RunLoop::Live RunLoop::take_live(std::uint64_t index) {
  const auto found = live_.find(index);
  if (found != live_.end()) {
    Live live = std::move(found->second);
    live_.erase(found);
    return live;
  }
  Live live;
  live.position = index - selection_.at(0);
  live.slot = 0;
  live.command = plan_.at(index);
  if (records_.journal) live.text = journal_text(live.command.argv);
  return live;
}

void RunLoop::ended(std::uint64_t index, std::uint32_t attempt, const AttemptEnd& end) {
  Live live = take_live(index);
  if (live.slot > 0) free_slots_.push(live.slot);
  if (live.has_jobserver_place) records_.jobserver->give_back();
  if (end.is_withdrawn && schedule_.withdrawn(live.position, attempt)) return;
  const auto verdict = schedule_.ended(live.position, attempt, report_of(end), end.ended_at);
  if (!verdict) return;
  const RunEnd told{index,     attempt,        live.slot,   verdict->verdict, verdict->timed_out, end.outcome,
                    end.usage, end.started_at, end.elapsed, end.message,      live.command};
  if (!live.folder.path.empty()) {
    const auto finished = ResultFolders::finish(live.folder, told);
    if (!finished) fail(finished.error());
  }
  // Told before it is in the journal: what the journal has is left out by the next run, whatever became of its output.
  if (events_.ended) events_.ended(told);
  record(live, told);
}

void RunLoop::record(const Live& live, const RunEnd& end) {
  if (!records_.journal || failure_) return;
  const std::string name = journal_text(std::string_view(live.command.name));
  JournalEntry entry;
  entry.number = end.index + 1;
  entry.started_at = end.started_at;
  entry.elapsed = end.elapsed;
  entry.output_bytes = live.output_bytes;
  entry.outcome = end.outcome;
  entry.timed_out = end.timed_out;
  entry.command = live.text;
  entry.name = name;
  entry.attempt = end.attempt;
  entry.usage = end.usage;
  const auto written = records_.journal->append(entry);
  if (!written) fail(written.error());
}

void RunLoop::readable(int descriptor) {
  if (options_.control != nullptr && descriptor == options_.control->impl().wake.get()) {
    options_.control->impl().grant();
  } else if (records_.jobserver && descriptor == records_.jobserver->descriptor()) {
    backend_.unwatch(descriptor);
    watches_jobserver_ = false;
    schedule_.release();
  } else if (events_.watched) {
    events_.watched();
  }
}

void RunLoop::obey(RunWish wish) {
  switch (wish) {
    case RunWish::finish:
      interrupted_ = true;
      schedule_.finish();
      return;
    case RunWish::terminate:
    case RunWish::kill:
      interrupted_ = true;
      schedule_.stop();
      backend_.stop_all(wish == RunWish::kill ? StopHow::kill : StopHow::terminate);
      return;
    case RunWish::suspend:
      backend_.stop_all(StopHow::suspend);
      return;
    case RunWish::resume:
      backend_.stop_all(StopHow::resume);
      return;
  }
}

// What cannot be recorded must not go on. The first reason is the one that counts.
void RunLoop::fail(const Error& error) {
  if (failure_) return;
  failure_ = error;
  schedule_.stop();
  backend_.stop_all(StopHow::kill);
}

void RunLoop::notice(const std::string& line) const {
  if (events_.notice) events_.notice(line);
}

}  // namespace hakuriver::engine
