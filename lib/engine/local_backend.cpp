#include "engine/local_backend.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <utility>
#include <variant>
#include <vector>

#include "engine/child_process.hpp"
#include "engine/command_starter.hpp"
#include "engine/lingering_groups.hpp"
#include "engine/orphans.hpp"
#include "platform/descriptor.hpp"
#include "platform/system_error.hpp"

namespace hakuriver::engine {
namespace {

using platform::Descriptor;
using Clock = std::chrono::steady_clock;

// What an epoll event is about: a place's command and one of its descriptors, or a watched descriptor.
enum Source : std::uint64_t { kOut = 0, kErr = 1, kProcess = 2, kWatched = 3 };

// Place, start and source in one number. The start's number is there because events of a closed descriptor may still
// come: a child that was just started holds copies of ours until its execve is through, which is a moment after vfork
// lets us go on, and a registration lives as long as any copy (epoll(7), question 6).
constexpr std::uint64_t event_data(std::uint32_t place, std::uint64_t start, Source source) noexcept {
  return std::uint64_t{place} << 32 | (start & 0x3fff'ffff) << 2 | source;
}

constexpr std::size_t kReadSize = 64 * 1024;
constexpr int kRemainsCheckMilliseconds = 20;
constexpr std::chrono::milliseconds kGraceAfterStop{5000};
constexpr std::chrono::milliseconds kGraceAfterEnd{2000};

// The search for orphans may take this part of the time.
constexpr int kSearchShare = 10;

// Ended commands whose output somebody still holds open, at most.
constexpr std::uint32_t kMostHeldOpen = 256;

// Where a command runs; then, as long as processes that it left behind hold its output open, what they are read from:
// to close it would be their death by PIPE, perhaps while they clean up after TERM.
struct Place {
  std::uint64_t index = 0;
  std::uint32_t attempt = 1;
  std::uint64_t start = 0;  // counts all starts
  pid_t pid = -1;           // -1: it has ended
  bool is_stopped = false;  // by us
  Descriptor pidfd;
  std::array<Descriptor, 2> output;  // the ends that we read, by OutputStream
  UtcTime started_at;
  MonotonicTime started;
};

// What reads as empty, in a container without /dev as well: there it is a pipe that nobody can write to.
Descriptor open_nothing() {
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  int ends[2];
  if (null >= 0 || ::pipe2(ends, O_CLOEXEC) != 0) return Descriptor(null);
  ::close(ends[1]);
  return Descriptor(ends[0]);
}

}  // namespace

struct LocalBackend::Impl {
  explicit Impl(LocalOptions given) : options(std::move(given)), starter(options.children) {}

  const LocalOptions options;
  CommandStarter starter;
  Descriptor epoll;
  Descriptor null_input;
  Descriptor inherited[2];  // copies of stdout_fd and stderr_fd where those cannot be used themselves
  std::optional<Orphans> orphans;
  std::optional<Error> orphans_error;
  std::vector<Place> places;
  std::vector<std::uint32_t> free_places;
  std::uint64_t starts = 0;
  std::uint32_t running = 0;
  std::uint32_t held_open = 0;  // places whose command has ended
  bool stopping = false;
  std::optional<Clock::time_point> settling_since;
  LingeringGroups lingering;
  bool wants_search = false;  // a command has ended since the last one
  Clock::time_point next_search;
  std::vector<char> buffer;

  Status prepare();
  int target(int given, int standard, Descriptor& copy) const;
  bool watch(int descriptor, std::uint64_t data) const;
  StartAnswer start_in(std::uint32_t number, const StartOrder& order, BackendEvents& events);
  StartAnswer fail_start(const StartOrder& order, const StartFailure& failure, BackendEvents& events);
  int timeout_until(std::optional<MonotonicTime> deadline) const;
  void dispatch(std::uint64_t data, BackendEvents& events);
  bool read_output(Place& place, OutputStream stream, BackendEvents& events);
  void end(std::uint32_t number, BackendEvents& events);
  void free_if_unused(std::uint32_t number);
  void close_held_open();
  void search_orphans(Clock::time_point now);
  void check_remains(Clock::time_point now);
  void signal(const Place& place, StopHow how) const;
};

Status LocalBackend::Impl::prepare() {
  epoll = Descriptor(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.is_open()) return platform::system_error("cannot wait for events", errno);
  null_input = above_stdio(open_nothing());
  if (!null_input.is_open()) return platform::system_error("cannot open '/dev/null'", errno);
  if (options.capture) buffer.resize(kReadSize);
  if (!options.adopt_orphans) return Unit{};
  auto adopted = Orphans::adopt(options.run);
  if (adopted) {
    orphans.emplace(std::move(*adopted));
  } else {
    orphans_error = adopted.error();
  }
  return Unit{};
}

bool LocalBackend::Impl::watch(int descriptor, std::uint64_t data) const {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = data;
  return ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, descriptor, &event) == 0;
}

StartAnswer LocalBackend::Impl::start_in(std::uint32_t number, const StartOrder& order, BackendEvents& events) {
  OutputPipe pipes[2];
  ChildStreams streams{order.stdin_fd >= 0 ? order.stdin_fd : null_input.get(), order.stdout_fd, order.stderr_fd};
  if (options.capture) {
    pipes[0] = make_pipe();
    pipes[1] = make_pipe();
    if (!pipes[0].read_end.is_open() || !pipes[1].read_end.is_open()) {
      return fail_start(order, describe_machine_failure("cannot capture output", errno), events);
    }
    streams.stdout_fd = pipes[0].write_end.get();
    streams.stderr_fd = pipes[1].write_end.get();
  }
  if (streams.stdout_fd < 0) streams.stdout_fd = target(options.stdout_fd, 1, inherited[0]);
  if (streams.stderr_fd < 0) streams.stderr_fd = target(options.stderr_fd, 2, inherited[1]);
  auto result = starter.start(*order.command, order.variables, streams);
  if (const auto* failure = std::get_if<StartFailure>(&result)) return fail_start(order, *failure, events);
  auto& spawned = *std::get_if<Spawned>(&result);
  Place& place = places[number];
  place = Place{order.first, order.attempt, starts++,       spawned.pid, false, std::move(spawned.pidfd),
                {},          utc_now(),     monotonic_now()};
  free_places.pop_back();
  ++running;
  watch(place.pidfd.get(), event_data(number, place.start, kProcess));
  for (const auto stream : {kOut, kErr}) {
    if (!options.capture) break;
    place.output[stream] = std::move(pipes[stream].read_end);
    watch(place.output[stream].get(), event_data(number, place.start, stream));
  }
  events.started(place.index, place.attempt, place.pid);
  return StartAnswer::accepted;
}

StartAnswer LocalBackend::Impl::fail_start(const StartOrder& order, const StartFailure& failure,
                                           BackendEvents& events) {
  const bool shortage = failure.outcome.kind == OutcomeKind::never_started && is_shortage(failure.outcome.value);
  if (shortage && (running > 0 || held_open > 0)) {
    close_held_open();
    return StartAnswer::later;
  }
  AttemptEnd end;
  end.outcome = failure.outcome;
  end.message = failure.message;
  end.ended_at = monotonic_now();
  events.ended(order.first, order.attempt, end);
  return StartAnswer::accepted;
}

int LocalBackend::Impl::timeout_until(std::optional<MonotonicTime> deadline) const {
  constexpr std::int64_t kLongest = 1'000'000'000;  // microseconds
  std::int64_t left = -1;
  if (deadline) left = std::clamp<std::int64_t>((*deadline - monotonic_now()).count(), 0, kLongest);
  const bool remains = !lingering.empty() || wants_search || (orphans && orphans->is_ending()) || settling_since;
  if (remains && (left < 0 || left > kRemainsCheckMilliseconds * 1000)) left = kRemainsCheckMilliseconds * 1000;
  return left < 0 ? -1 : static_cast<int>((left + 999) / 1000);
}

void LocalBackend::Impl::dispatch(std::uint64_t data, BackendEvents& events) {
  const auto source = static_cast<Source>(data & 3);
  const auto number = static_cast<std::uint32_t>(data >> 32);
  if (source == kWatched) {
    events.readable(static_cast<int>(number));
    return;
  }
  Place& place = places[number];
  if (data != event_data(number, place.start, source)) return;
  if (source == kProcess) {
    if (place.pid > 0) end(number, events);
  } else if (place.output[source].is_open()) {
    read_output(place, static_cast<OutputStream>(source), events);
    if (place.pid < 0) free_if_unused(number);
  }
}

// Tells whether there may be more at once; closes the pipe at its end.
bool LocalBackend::Impl::read_output(Place& place, OutputStream stream, BackendEvents& events) {
  Descriptor& pipe = place.output[static_cast<std::size_t>(stream)];
  const auto count = ::read(pipe.get(), buffer.data(), buffer.size());
  if (count > 0) {
    events.output(place.index, place.attempt, stream, {buffer.data(), static_cast<std::size_t>(count)});
    return true;
  }
  if (count < 0 && errno == EINTR) return true;
  if (count == 0 || errno != EAGAIN) pipe = Descriptor();
  return false;
}

void LocalBackend::Impl::end(std::uint32_t number, BackendEvents& events) {
  Place& place = places[number];
  // What the process wrote is in the pipe by now. Processes that it left behind may write for ever, so this is bounded
  // by what a pipe can hold (1 MiB where the default was raised, /proc/sys/fs/pipe-max-size).
  constexpr int kMostReads = 2 * 1024 * 1024 / kReadSize;
  for (const auto stream : {OutputStream::out, OutputStream::err}) {
    for (int reads = 0; reads < kMostReads && place.output[static_cast<std::size_t>(stream)].is_open(); ++reads) {
      if (!read_output(place, stream, events)) break;
    }
  }
  AttemptEnd ended;
  reap(place.pid, ended);
  ended.started_at = place.started_at;
  ended.ended_at = monotonic_now();
  ended.elapsed = ended.ended_at - place.started;
  const bool stopped = stopping || place.is_stopped;
  if (stopped || orphans) lingering.add(place.pid, Clock::now(), stopped ? kGraceAfterStop : kGraceAfterEnd, !stopped);
  wants_search = orphans.has_value();
  const auto [index, attempt] = std::pair(place.index, place.attempt);
  place.pid = -1;
  place.pidfd = Descriptor();
  --running;
  ++held_open;
  free_if_unused(number);
  if (held_open > kMostHeldOpen) close_held_open();
  events.ended(index, attempt, ended);
}

void LocalBackend::Impl::free_if_unused(std::uint32_t number) {
  if (places[number].output[kOut].is_open() || places[number].output[kErr].is_open()) return;
  places[number] = Place{};
  free_places.push_back(number);
  --held_open;
}

void LocalBackend::Impl::close_held_open() {
  for (std::uint32_t number = 0; number < places.size() && held_open > 0; ++number) {
    const bool holds = places[number].output[kOut].is_open() || places[number].output[kErr].is_open();
    if (places[number].pid > 0 || !holds) continue;
    for (Descriptor& output : places[number].output) output = Descriptor();
    free_if_unused(number);
  }
}

// With a thousand commands the list of our children is long: the more it costs, the more seldom.
void LocalBackend::Impl::search_orphans(Clock::time_point now) {
  wants_search = false;
  if (orphans->are_there(running)) {
    std::vector<RunningCommand> commands;
    for (const Place& place : places) {
      if (place.pid < 0) continue;
      commands.push_back({place.pid, std::to_string(place.index + 1), std::to_string(place.attempt)});
    }
    orphans->end_abandoned(commands, now);
  }
  const auto after = Clock::now();
  next_search = after + (after - now) * kSearchShare;
}

void LocalBackend::Impl::check_remains(Clock::time_point now) {
  if (!lingering.empty()) lingering.check(now);
  if (!orphans) return;
  if (orphans->is_ending()) {
    orphans->check(now);
    wants_search = true;  // their children are ours now
  }
  if (wants_search && now >= next_search) search_orphans(now);
}

// A process that has ended but is not yet reaped keeps its number, so the group named here is ours.
void LocalBackend::Impl::signal(const Place& place, StopHow how) const {
  if (place.pid < 0) return;
  switch (how) {
    case StopHow::terminate:
      ::kill(-place.pid, SIGTERM);
      ::kill(-place.pid, SIGCONT);
      return;
    case StopHow::kill:
      ::kill(-place.pid, SIGKILL);
      return;
    case StopHow::suspend:
      ::kill(-place.pid, SIGSTOP);
      return;
    case StopHow::resume:
      ::kill(-place.pid, SIGCONT);
      return;
  }
}

int LocalBackend::Impl::target(int given, int standard, Descriptor& copy) const {
  if (given == standard || given > 2) return given;
  if (!copy.is_open()) copy = Descriptor(::fcntl(given, F_DUPFD_CLOEXEC, 3));
  return copy.get();
}

LocalBackend::LocalBackend(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<LocalBackend>> LocalBackend::make(LocalOptions options) {
  auto impl = std::make_unique<Impl>(std::move(options));
  const auto prepared = impl->prepare();
  if (!prepared) return prepared.error();
  return std::unique_ptr<LocalBackend>(new LocalBackend(std::move(impl)));
}

const std::optional<Error>& LocalBackend::orphans_error() const noexcept { return impl_->orphans_error; }

LocalBackend::~LocalBackend() {
  stop_all(StopHow::kill);
  for (const Place& place : impl_->places) {
    if (place.pid > 0) ::waitpid(place.pid, nullptr, 0);
  }
}

StartAnswer LocalBackend::start(const StartOrder& order, BackendEvents& events) {
  if (impl_->free_places.empty()) {
    impl_->free_places.push_back(static_cast<std::uint32_t>(impl_->places.size()));
    impl_->places.emplace_back();
  }
  return impl_->start_in(impl_->free_places.back(), order, events);
}

void LocalBackend::stop_all(StopHow how) {
  const bool ends = how == StopHow::terminate || how == StopHow::kill;
  impl_->stopping = impl_->stopping || ends;
  for (const Place& place : impl_->places) impl_->signal(place, how);
  if (how != StopHow::kill) return;
  impl_->lingering.kill(Clock::now());
  if (impl_->orphans) impl_->orphans->kill(Clock::now());
}

void LocalBackend::stop(std::uint64_t index, StopHow how) {
  for (Place& place : impl_->places) {
    if (place.pid < 0 || place.index != index) continue;
    place.is_stopped = place.is_stopped || how == StopHow::terminate || how == StopHow::kill;
    impl_->signal(place, how);
  }
}

Status LocalBackend::watch(int descriptor) {
  if (impl_->watch(descriptor, event_data(static_cast<std::uint32_t>(descriptor), 0, kWatched))) return Unit{};
  return platform::system_error("cannot wait for descriptor " + std::to_string(descriptor), errno);
}

void LocalBackend::unwatch(int descriptor) { ::epoll_ctl(impl_->epoll.get(), EPOLL_CTL_DEL, descriptor, nullptr); }

Status LocalBackend::wait(std::optional<MonotonicTime> deadline, BackendEvents& events) {
  std::array<epoll_event, 64> ready;
  const int timeout = impl_->timeout_until(deadline);
  const int count = ::epoll_wait(impl_->epoll.get(), ready.data(), static_cast<int>(ready.size()), timeout);
  if (count < 0 && errno != EINTR) return platform::system_error("cannot wait for events", errno);
  for (int i = 0; i < count; ++i) impl_->dispatch(ready[static_cast<std::size_t>(i)].data.u64, events);
  impl_->check_remains(Clock::now());
  return Unit{};
}

bool LocalBackend::settle() {
  // What cannot be killed, in a file system that does not answer, is given up.
  constexpr std::chrono::seconds kLongest{15};
  const auto now = Clock::now();
  if (impl_->orphans && impl_->orphans->are_there(0)) {
    impl_->orphans->end_abandoned({}, now);
    if (!impl_->settling_since) impl_->settling_since = now;
    return !impl_->orphans->are_there(0) || now - *impl_->settling_since > kLongest;
  }
  return impl_->lingering.empty();
}

}  // namespace hakuriver::engine
