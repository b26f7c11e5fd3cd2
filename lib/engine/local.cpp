#include "engine/local.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <optional>
#include <utility>
#include <variant>

#include "engine/command_starter.hpp"
#include "engine/process_groups.hpp"
#include "platform/descriptor.hpp"
#include "platform/system_error.hpp"

namespace hakuriver::engine {
namespace {

using platform::Descriptor;
using Clock = std::chrono::steady_clock;

// What an epoll event is about: a slot's command and one of its descriptors, or the watched descriptor.
enum Source : std::uint64_t { kOut = 0, kErr = 1, kProcess = 2 };

// Slot, command and source in one number. The command is there because events of a closed descriptor may still come:
// a child that was just started holds copies of ours until its execve is through, which is a moment after vfork lets us
// go on, and a registration lives as long as any copy (epoll(7), question 6).
constexpr std::uint64_t event_data(std::uint32_t slot, std::uint64_t index, Source source) noexcept {
  return std::uint64_t{slot} << 32 | (index & 0x3fff'ffff) << 2 | source;
}
constexpr std::uint64_t kWatched = ~std::uint64_t{0};

constexpr std::size_t kReadSize = 64 * 1024;
constexpr int kLingerCheckMilliseconds = 20;

// Ended commands whose output somebody still holds open, at most.
constexpr std::uint32_t kMostHeldOpen = 256;

// One place for a running command; then, as long as processes that it left behind hold its output open, for that:
// to close it would be their death by PIPE, perhaps while they clean up after TERM.
struct Slot {
  std::uint64_t index = 0;
  pid_t pid = -1;  // -1: it has ended
  Descriptor pidfd;
  std::array<Descriptor, 2> output;  // the ends that we read, by OutputStream
  Clock::time_point started_at;
};

// The child puts its descriptors in place by dup3 one after the other, so none may be one of 0, 1, 2.
Descriptor above_stdio(Descriptor descriptor) {
  if (!descriptor.is_open() || descriptor.get() > 2) return descriptor;
  return Descriptor(::fcntl(descriptor.get(), F_DUPFD_CLOEXEC, 3));
}

struct OutputPipe {
  Descriptor read_end;
  Descriptor write_end;
};

OutputPipe make_pipe() {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return {};
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  OutputPipe made{above_stdio(Descriptor(ends[0])), above_stdio(Descriptor(ends[1]))};
  if (!made.read_end.is_open() || !made.write_end.is_open()) return {};
  return made;
}

Outcome outcome_of(int wait_status) noexcept {
  if (WIFSIGNALED(wait_status)) return {OutcomeKind::signaled, WTERMSIG(wait_status)};
  return {OutcomeKind::exited, WEXITSTATUS(wait_status)};
}

std::uint64_t microseconds_of(const timeval& time) noexcept {
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(time.tv_usec);
}

// Reaps the process, which has ended; no WNOHANG, as a tracer may have to let go of it first. Unknown where somebody
// else has reaped it.
void reap(pid_t pid, CommandEnd& end) {
  int status = 0;
  rusage used{};
  pid_t reaped = -1;
  do {
    reaped = ::wait4(pid, &status, 0, &used);
  } while (reaped < 0 && errno == EINTR);
  if (reaped != pid) return;
  end.outcome = outcome_of(status);
  end.usage.cpu_microseconds = microseconds_of(used.ru_utime) + microseconds_of(used.ru_stime);
  end.usage.max_rss_bytes = static_cast<std::uint64_t>(used.ru_maxrss) * 1024;
}

}  // namespace

ChildDefaults ChildDefaults::of_this_process() {
  ChildDefaults defaults;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry)
    defaults.environment.emplace_back(*entry);
  ::pthread_sigmask(SIG_SETMASK, nullptr, &defaults.signal_mask);
  ::getrlimit(RLIMIT_NOFILE, &defaults.open_files);
  return defaults;
}

struct LocalRun::Impl {
  Impl(const Plan& given_plan, LocalOptions given_options, LocalEvents given_events)
      : plan(given_plan), options(std::move(given_options)), events(std::move(given_events)) {}

  const Plan& plan;
  const LocalOptions options;
  const LocalEvents events;

  Descriptor epoll;
  Descriptor null_input;
  Descriptor inherited[2];  // copies of stdout_fd and stderr_fd where those cannot be used themselves
  std::optional<CommandStarter> starter;
  std::vector<Slot> slots;
  std::vector<std::uint32_t> free_slots;
  std::uint64_t next = 0;
  std::uint32_t running = 0;
  std::uint32_t held_open = 0;  // slots whose command has ended
  bool stopping = false;
  bool short_of_resources = false;  // until a command has ended
  LingeringGroups lingering;
  std::vector<char> buffer;

  Status prepare();
  int target(int given, int standard, Descriptor& copy) const;
  bool watch(int descriptor, std::uint64_t data) const;
  bool may_start() const;
  void start_more();
  bool start_one();
  bool start_in(Slot& slot, std::uint32_t number, const Command& command);
  void fail_start(const StartFailure& failure);
  Status wait_for_events();
  void dispatch(std::uint64_t data);
  bool read_output(Slot& slot, OutputStream stream);
  void end(std::uint32_t number);
  void free_if_unused(std::uint32_t number);
  void close_held_open();
  void signal_all(int signal);
};

Status LocalRun::Impl::prepare() {
  epoll = Descriptor(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.is_open()) return platform::system_error("cannot wait for events", errno);
  null_input = above_stdio(Descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC)));
  if (!null_input.is_open()) return platform::system_error("cannot open '/dev/null'", errno);
  if (options.watched_fd >= 0 && !watch(options.watched_fd, kWatched)) {
    return platform::system_error("cannot wait for the watched descriptor", errno);
  }
  starter.emplace(options.children, null_input.get());
  if (options.capture) buffer.resize(kReadSize);
  return Unit{};
}

bool LocalRun::Impl::watch(int descriptor, std::uint64_t data) const {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = data;
  return ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, descriptor, &event) == 0;
}

bool LocalRun::Impl::may_start() const {
  return !stopping && !short_of_resources && running < std::max(options.parallelism, 1u) && next < plan.size();
}

// A command that fails to start takes no place, so that a plan of such commands would never leave this loop: the
// events between them must be seen.
void LocalRun::Impl::start_more() {
  while (may_start()) {
    if (!start_one()) return;
  }
}

bool LocalRun::Impl::start_one() {
  if (free_slots.empty()) {
    free_slots.push_back(static_cast<std::uint32_t>(slots.size()));
    slots.emplace_back();
  }
  const std::uint32_t number = free_slots.back();
  if (!start_in(slots[number], number, plan.at(next))) return false;
  free_slots.pop_back();
  return true;
}

bool LocalRun::Impl::start_in(Slot& slot, std::uint32_t number, const Command& command) {
  OutputPipe pipes[2];
  ChildOutput output{target(options.stdout_fd, 1, inherited[0]), target(options.stderr_fd, 2, inherited[1])};
  if (options.capture) {
    pipes[0] = make_pipe();
    pipes[1] = make_pipe();
    if (!pipes[0].read_end.is_open() || !pipes[1].read_end.is_open()) {
      fail_start(describe_machine_failure("cannot capture output", errno));
      return false;
    }
    output = {pipes[0].write_end.get(), pipes[1].write_end.get()};
  }
  auto result = starter->start(command, output);
  if (const auto* failure = std::get_if<StartFailure>(&result)) {
    fail_start(*failure);
    return false;
  }
  auto& spawned = *std::get_if<Spawned>(&result);
  slot = Slot{next++, spawned.pid, std::move(spawned.pidfd), {}, Clock::now()};
  ++running;
  watch(slot.pidfd.get(), event_data(number, slot.index, kProcess));
  for (const auto stream : {kOut, kErr}) {
    if (!options.capture) break;
    slot.output[stream] = std::move(pipes[stream].read_end);
    watch(slot.output[stream].get(), event_data(number, slot.index, stream));
  }
  if (events.started) events.started(slot.index, slot.pid);
  return true;
}

void LocalRun::Impl::fail_start(const StartFailure& failure) {
  const bool shortage = failure.outcome.kind == OutcomeKind::never_started && is_shortage(failure.outcome.value);
  if (shortage && held_open > 0) {
    close_held_open();
    return;
  }
  if (shortage && running > 0) {
    short_of_resources = true;
    return;
  }
  CommandEnd end;
  end.index = next++;
  end.outcome = failure.outcome;
  end.message = failure.message;
  if (events.ended) events.ended(end);
}

Status LocalRun::Impl::wait_for_events() {
  std::array<epoll_event, 64> ready;
  int timeout = may_start() ? 0 : -1;
  if (!lingering.empty()) timeout = kLingerCheckMilliseconds;
  const int count = ::epoll_wait(epoll.get(), ready.data(), static_cast<int>(ready.size()), timeout);
  if (count < 0 && errno != EINTR) return platform::system_error("cannot wait for events", errno);
  for (int i = 0; i < count; ++i) dispatch(ready[static_cast<std::size_t>(i)].data.u64);
  if (!lingering.empty()) lingering.check(Clock::now());
  return Unit{};
}

void LocalRun::Impl::dispatch(std::uint64_t data) {
  if (data == kWatched) {
    if (events.watched) events.watched();
    return;
  }
  const auto number = static_cast<std::uint32_t>(data >> 32);
  const auto source = static_cast<Source>(data & 3);
  Slot& slot = slots[number];
  if (data != event_data(number, slot.index, source)) return;
  if (source == kProcess) {
    if (slot.pid > 0) end(number);
  } else if (slot.output[source].is_open()) {
    read_output(slot, static_cast<OutputStream>(source));
    if (slot.pid < 0) free_if_unused(number);
  }
}

// Tells whether there may be more at once; closes the pipe at its end.
bool LocalRun::Impl::read_output(Slot& slot, OutputStream stream) {
  Descriptor& pipe = slot.output[static_cast<std::size_t>(stream)];
  const auto count = ::read(pipe.get(), buffer.data(), buffer.size());
  if (count > 0) {
    if (events.output) events.output(slot.index, stream, {buffer.data(), static_cast<std::size_t>(count)});
    return true;
  }
  if (count < 0 && errno == EINTR) return true;
  if (count == 0 || errno != EAGAIN) pipe = Descriptor();
  return false;
}

void LocalRun::Impl::end(std::uint32_t number) {
  Slot& slot = slots[number];
  // What the process wrote is in the pipe by now. Processes that it left behind may write for ever, so this is bounded
  // by what a pipe can hold (1 MiB where the default was raised, /proc/sys/fs/pipe-max-size).
  constexpr int kMostReads = 2 * 1024 * 1024 / kReadSize;
  for (const auto stream : {OutputStream::out, OutputStream::err}) {
    for (int reads = 0; reads < kMostReads && slot.output[static_cast<std::size_t>(stream)].is_open(); ++reads) {
      if (!read_output(slot, stream)) break;
    }
  }
  CommandEnd ended;
  ended.index = slot.index;
  reap(slot.pid, ended);
  const auto now = Clock::now();
  ended.elapsed = std::chrono::duration_cast<std::chrono::microseconds>(now - slot.started_at);
  if (stopping) lingering.add(slot.pid, now);
  slot.pid = -1;
  slot.pidfd = Descriptor();
  --running;
  ++held_open;
  free_if_unused(number);
  if (held_open > kMostHeldOpen) close_held_open();
  short_of_resources = false;
  if (events.ended) events.ended(ended);
}

void LocalRun::Impl::free_if_unused(std::uint32_t number) {
  if (slots[number].output[kOut].is_open() || slots[number].output[kErr].is_open()) return;
  slots[number] = Slot{};
  free_slots.push_back(number);
  --held_open;
}

void LocalRun::Impl::close_held_open() {
  for (std::uint32_t number = 0; number < slots.size() && held_open > 0; ++number) {
    const bool holds = slots[number].output[kOut].is_open() || slots[number].output[kErr].is_open();
    if (slots[number].pid > 0 || !holds) continue;
    for (Descriptor& output : slots[number].output) output = Descriptor();
    free_if_unused(number);
  }
}

// A process that has ended but is not yet reaped keeps its number, so the groups named here are ours.
void LocalRun::Impl::signal_all(int signal) {
  for (const Slot& slot : slots) {
    if (slot.pid > 0) ::kill(-slot.pid, signal);
  }
}

int LocalRun::Impl::target(int given, int standard, Descriptor& copy) const {
  if (given == standard || given > 2) return given;
  if (!copy.is_open()) copy = Descriptor(::fcntl(given, F_DUPFD_CLOEXEC, 3));
  return copy.get();
}

LocalRun::LocalRun(const Plan& plan, LocalOptions options, LocalEvents events)
    : impl_(std::make_unique<Impl>(plan, std::move(options), std::move(events))) {}

LocalRun::~LocalRun() = default;

Status LocalRun::run() {
  auto status = impl_->prepare();
  if (!status) return status;
  while (true) {
    impl_->start_more();
    const bool nothing_to_come = impl_->stopping || impl_->next == impl_->plan.size();
    if (impl_->running == 0 && impl_->lingering.empty() && nothing_to_come) return Unit{};
    status = impl_->wait_for_events();
    if (!status) break;
  }
  kill();
  for (std::uint32_t number = 0; number < impl_->slots.size(); ++number) {
    if (impl_->slots[number].pid > 0) ::waitpid(impl_->slots[number].pid, nullptr, 0);
  }
  return status;
}

void LocalRun::terminate() {
  impl_->stopping = true;
  impl_->signal_all(SIGTERM);
  impl_->signal_all(SIGCONT);
}

void LocalRun::kill() {
  impl_->stopping = true;
  impl_->signal_all(SIGKILL);
  impl_->lingering.kill(Clock::now());
}

void LocalRun::suspend() { impl_->signal_all(SIGSTOP); }
void LocalRun::resume() { impl_->signal_all(SIGCONT); }

std::uint64_t LocalRun::started() const noexcept { return impl_->next; }
std::uint32_t LocalRun::running() const noexcept { return impl_->running; }

}  // namespace hakuriver::engine
