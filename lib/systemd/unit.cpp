#include "systemd/unit.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>

#include "systemd/child_program.hpp"
#include "systemd/manager_bus.hpp"

namespace hakuriver::systemd {
namespace {

constexpr const char* kProperties =
    "--property=LoadState,ActiveState,FreezerState,Result,MainPID,ExecMainCode,ExecMainStatus,CPUUsageNSec,MemoryPeak";

// 0 for what is no number, such as "[not set]", and for the number that means the same.
std::uint64_t number_of(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_whole = error == std::errc() && end == text.data() + text.size();
  return is_whole && number != ~std::uint64_t{0} ? number : 0;
}

void set(UnitState& state, std::string_view name, std::string_view value) {
  if (name == "LoadState") state.is_loaded = value == "loaded";
  if (name == "ActiveState") state.active = value;
  if (name == "FreezerState") state.frozen = value;
  if (name == "Result") state.result = value;
  if (name == "MainPID") state.main_pid = static_cast<std::int64_t>(number_of(value));
  if (name == "ExecMainCode") state.main_code = static_cast<int>(number_of(value));
  if (name == "ExecMainStatus") state.main_status = static_cast<int>(number_of(value));
  if (name == "CPUUsageNSec") state.cpu_microseconds = number_of(value) / 1000;
  if (name == "MemoryPeak") state.peak_bytes = number_of(value);
}

Argv systemctl(const Options& options) {
  Argv argv{options.systemctl};
  if (options.user_manager) argv.emplace_back("--user");
  return argv;
}

bool act(const Options& options, const Argv& verb, int signal) {
  if (options.is_scope() && !options.no_bus && options.sudo.empty()) {
    if (const auto done = act_on_scope(options, verb.front(), signal)) return *done;
  }
  Argv argv;
  if (!options.sudo.empty()) argv = {options.sudo, "-n"};
  const Argv program = systemctl(options);
  argv.insert(argv.end(), program.begin(), program.end());
  argv.insert(argv.end(), verb.begin(), verb.end());
  argv.push_back(options.unit);
  return read_program(argv, program_environment(options)).good;
}

}  // namespace

UnitState parse_unit_state(std::string_view text) {
  UnitState state;
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    state.is_known = true;
    set(state, line.substr(0, equals), line.substr(equals + 1));
  }
  return state;
}

launch::Account account_of(const UnitState& state) {
  launch::Account account;
  account.outcome = {state.main_code == CLD_EXITED ? OutcomeKind::exited : OutcomeKind::signaled, state.main_status};
  if (state.result == "oom-kill") account.outcome = {OutcomeKind::oom_killed, SIGKILL};
  account.cpu_microseconds = state.cpu_microseconds;
  account.peak_bytes = state.peak_bytes;
  return account;
}

UnitState read_unit_state(const Options& options) {
  if (options.is_scope() && !options.no_bus) {
    if (auto state = read_scope_state(options)) return std::move(*state);
  }
  Argv argv = systemctl(options);
  argv.insert(argv.end(), {"show", kProperties, options.unit});
  const auto printed = read_program(argv, program_environment(options));
  return printed.good ? parse_unit_state(printed.text) : UnitState{};
}

bool act_on_unit(const Options& options, const std::string& verb) { return act(options, {verb}, 0); }

bool signal_unit(const Options& options, int signal) {
  return act(options, {"kill", "--signal=" + std::to_string(signal)}, signal);
}

std::string runtime_directory() { return "/run/user/" + std::to_string(::geteuid()); }

std::vector<std::string> program_environment(const Options& options) {
  std::vector<std::string> environment{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8",
                                       "SYSTEMD_PAGER=", "SYSTEMD_COLORS=0"};
  if (options.user_manager) environment.push_back("XDG_RUNTIME_DIR=" + runtime_directory());
  return environment;
}

}  // namespace hakuriver::systemd
