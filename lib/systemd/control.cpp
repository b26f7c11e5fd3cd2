#include "systemd/control.hpp"

#include <fcntl.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "launch/account.hpp"
#include "systemd/manager_bus.hpp"
#include "systemd/unit.hpp"
#include "systemd/unit_processes.hpp"

namespace hakuriver::systemd {
namespace {

constexpr int kDone = 0;
constexpr int kNotYet = 75;              // EX_TEMPFAIL
constexpr std::int64_t kGraceMs = 2000;  // what is left has from TERM to KILL
constexpr std::int64_t kPatienceMs = 6000;
constexpr timespec kStep{0, 10'000'000};

std::int64_t now_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

bool is_over(const UnitState& unit) {
  return unit.is_known && (!unit.is_loaded || unit.active == "inactive" || unit.active == "failed");
}

// A service stays when its main process has ended.
bool has_ended(const UnitState& unit) { return is_over(unit) || (unit.is_known && unit.main_pid == 0); }

// Version 1 of cgroups has no freezer that systemd uses: there each process is stopped.
int pause(const Options& options) {
  if (act_on_unit(options, "freeze")) return kDone;
  return signal_unit(options, SIGSTOP) ? kDone : kNotYet;
}

// What is frozen gets no signals.
bool thaw(const Options& options) {
  const auto state = read_unit_state(options);
  const bool is_frozen = state.frozen == "frozen" || state.frozen == "freezing";
  return !is_frozen || act_on_unit(options, "thaw");
}

int resume(const Options& options) { return thaw(options) && signal_unit(options, SIGCONT) ? kDone : kNotYet; }

// A unit that is not there may be about to be started: who asks then must ask again.
int terminate(const Options& options) {
  if (!signal_unit(options, SIGTERM)) {
    const auto state = read_unit_state(options);
    return state.is_loaded && is_over(state) ? kDone : kNotYet;
  }
  const bool woken = thaw(options) && (signal_unit(options, SIGCONT) || is_over(read_unit_state(options)));
  return woken ? kDone : kNotYet;
}

int kill(const Options& options) {
  const bool sent = signal_unit(options, SIGKILL) || is_over(read_unit_state(options));
  return thaw(options) && sent ? kDone : kNotYet;
}

// Of a file of ours; a start report is the longest.
std::string read_text(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (file < 0) return {};
  char buffer[8192];
  const auto count = ::read(file, buffer, sizeof buffer);
  ::close(file);
  return {buffer, count > 0 ? static_cast<std::size_t>(count) : 0};
}

// How the task ended and what it used, by the one who waited for it and by the manager: the first knows the command
// itself, but is killed with all others.
std::optional<launch::Account> account_of_task(const Options& options, const UnitState& state) {
  const auto own = launch::parse_account(read_text(options.file(".account")));
  std::optional<launch::Account> account;
  if (own) account = *own;
  if (options.is_scope() || !state.is_loaded || state.main_code == 0) return account;
  auto told = account_of(state);
  if (!account) return told;
  if (told.cpu_microseconds != 0) account->cpu_microseconds = told.cpu_microseconds;
  if (told.peak_bytes != 0) account->peak_bytes = told.peak_bytes;
  return account;
}

bool end_by_signals(const Options& options, bool (*is_reached)(const UnitState&)) {
  for (const auto& [send, patience] : {std::pair(&terminate, kGraceMs), std::pair(&kill, kPatienceMs)}) {
    send(options);
    for (const auto deadline = now_ms() + patience; now_ms() < deadline; ::nanosleep(&kStep, nullptr)) {
      if (is_reached(read_unit_state(options))) return true;
    }
  }
  return false;
}

// What the manager knows of a service goes with its stop, and this may be asked to finish again.
bool stop_service(const Options& options, const std::optional<launch::Account>& account) {
  if (account && !launch::write_account(options.file(".account"), *account)) return false;
  return act_on_unit(options, "stop");
}

// A manager gives up on processes that not even KILL ends, and calls their unit over.
bool is_empty(const Options& options) { return !has_processes(read_text(options.file(kCgroupSuffix)), options.unit); }

bool tell(const std::string& text) { return ::write(1, text.data(), text.size()) == static_cast<ssize_t>(text.size()); }

void remove_files(const Options& options) {
  for (const char* suffix : {".account", ".spec", ".report", kCgroupSuffix}) ::unlink(options.file(suffix).c_str());
}

// "unknown" only of what is known to have run: why something was not started is said by others.
std::string describe(const Options& options, const std::optional<launch::Account>& account, bool was_alone) {
  const bool has_run = !options.is_scope() && ::access(options.file(kCgroupSuffix).c_str(), F_OK) == 0;
  if (!account) return has_run ? "unknown\nmessage how it ended is not known: its unit was taken away\n" : "";
  return to_text(*account) + (was_alone ? "message it was ended, as the process that stood for it had gone\n" : "");
}

int finish(const Options& options) {
  UnitState state = read_unit_state(options);
  if (options.is_scope() && !options.no_bus && state.is_known && !is_over(state)) {
    stop_empty_scope(options);
    state = read_unit_state(options);
  }
  if (!state.is_known) return kNotYet;
  // With the process that stands for a unit goes the one who could be asked to end it, so that is done here.
  const bool is_alone = !options.is_scope() && state.main_pid != 0;
  const bool has_leftovers = options.is_scope() && !is_over(state);
  if (is_alone || has_leftovers) {
    if (!end_by_signals(options, options.is_scope() ? &is_over : &has_ended)) return kNotYet;
    state = read_unit_state(options);
    if (!state.is_known) return kNotYet;
  }
  const auto account = account_of_task(options, state);
  if (!is_over(state)) {
    if (!stop_service(options, account)) return kNotYet;
    state = read_unit_state(options);
  }
  if (!is_over(state) || !is_empty(options)) return kNotYet;
  if (!tell(describe(options, account, is_alone))) return kNotYet;
  // Only now may its record go.
  if (state.is_loaded && state.active == "failed") act_on_unit(options, "reset-failed");
  remove_files(options);
  return kDone;
}

}  // namespace

int control(const Options& options) {
  if (options.verb == "pause") return pause(options);
  if (options.verb == "resume") return resume(options);
  if (options.verb == "terminate") return terminate(options);
  if (options.verb == "kill") return kill(options);
  return finish(options);
}

}  // namespace hakuriver::systemd
