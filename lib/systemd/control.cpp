#include "systemd/control.hpp"

#include <fcntl.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <optional>
#include <string>

#include "launch/account.hpp"
#include "systemd/unit.hpp"

namespace hakuriver::systemd {
namespace {

constexpr int kDone = 0;
constexpr int kNotYet = 75;  // EX_TEMPFAIL
constexpr int kSteps = 200;  // of kStep: what a scope's leftovers have between TERM and KILL
constexpr timespec kStep{0, 10'000'000};

bool is_over(const UnitState& unit) { return !unit.is_loaded || unit.active == "inactive" || unit.active == "failed"; }

// A unit that is gone has been ended.
bool signal_what_is_there(const Options& options, int signal) {
  return signal_unit(options, signal) || is_over(read_unit_state(options));
}

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

int terminate(const Options& options) {
  const bool sent = signal_what_is_there(options, SIGTERM);
  const bool woken = thaw(options) && signal_what_is_there(options, SIGCONT);
  return sent && woken ? kDone : kNotYet;
}

int kill(const Options& options) {
  const bool sent = signal_what_is_there(options, SIGKILL);
  return thaw(options) && sent ? kDone : kNotYet;
}

std::string read_text(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (file < 0) return {};
  char buffer[4096];
  const auto count = ::read(file, buffer, sizeof buffer);
  ::close(file);
  return {buffer, count > 0 ? static_cast<std::size_t>(count) : 0};
}

// What the task was told to have used and how it ended, by the one who waited for it and by the manager; the first
// knows of memory that ran out with version 1 of cgroups as well, but is killed with all others.
std::optional<launch::Account> account_of_task(const Options& options, const UnitState& state) {
  const auto own = launch::parse_account(read_text(options.file(".account")));
  std::optional<launch::Account> account;
  if (own) account = *own;
  if (options.is_scope() || !state.is_loaded || state.main_code == 0) return account;
  auto told = account_of(state);
  if (account && account->outcome.kind == OutcomeKind::oom_killed) told.outcome = account->outcome;
  if (account && told.cpu_microseconds == 0) told.cpu_microseconds = account->cpu_microseconds;
  if (account && told.peak_bytes == 0) told.peak_bytes = account->peak_bytes;
  return told;
}

// What is left of a scope gets TERM, then KILL; a service's own settings say the same, and its stop waits for it.
bool end_leftovers(const Options& options) {
  if (!options.is_scope()) return act_on_unit(options, "stop");
  for (const int signal : {SIGTERM, SIGKILL}) {
    signal_unit(options, signal);
    signal_unit(options, SIGCONT);
    for (int step = 0; step < kSteps; ++step) {
      if (is_over(read_unit_state(options))) return true;
      ::nanosleep(&kStep, nullptr);
    }
  }
  return false;
}

void remove_files(const Options& options) {
  for (const char* suffix : {".account", ".spec", ".report"}) ::unlink(options.file(suffix).c_str());
}

int finish(const Options& options) {
  UnitState state = read_unit_state(options);
  if (!state.is_known) return kNotYet;
  if (!options.is_scope() && state.main_pid != 0) return kNotYet;  // its client is gone, but it goes on
  const auto account = account_of_task(options, state);
  if (!is_over(state)) {
    if (!end_leftovers(options)) return kNotYet;
    state = read_unit_state(options);
  }
  // Only now may its record go.
  if (state.is_loaded && state.active == "failed") act_on_unit(options, "reset-failed");
  if (account) {
    const std::string text = to_text(*account);
    if (::write(1, text.data(), text.size()) != static_cast<ssize_t>(text.size())) return kNotYet;
  }
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
