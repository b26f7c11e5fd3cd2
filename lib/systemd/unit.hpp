// One unit, as systemctl(1) tells of it and acts on it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hakuriver/argv.hpp"
#include "launch/account.hpp"
#include "systemd/options.hpp"

namespace hakuriver::systemd {

struct UnitState {
  bool is_known = false;  // systemctl could say something
  bool is_loaded = false;
  std::string active;  // ActiveState: active, deactivating, failed, ...
  std::string frozen;  // FreezerState
  std::string result;  // Result: success, exit-code, signal, oom-kill, ...
  std::int64_t main_pid = 0;
  int main_code = 0;    // ExecMainCode: CLD_EXITED and so on; 0: it has not ended
  int main_status = 0;  // ExecMainStatus: the exit code or the signal
  std::uint64_t cpu_microseconds = 0;
  std::uint64_t peak_bytes = 0;
  bool operator==(const UnitState&) const = default;
};

// Of the lines "Name=value" that `systemctl show` prints.
UnitState parse_unit_state(std::string_view text);

// What the manager's own record says; only for a service whose main process has ended.
launch::Account account_of(const UnitState& state);

UnitState read_unit_state(const Options& options);

// `systemctl VERB UNIT`, with sudo in front where that is asked for; whether it did it. Of a scope the bus is asked
// first, which costs a tenth.
bool act_on_unit(const Options& options, const std::string& verb);

// A signal to all processes of the unit, in the same way.
bool signal_unit(const Options& options, int signal);

// What programs of systemd need of an environment: for the manager of a user, where its runtime directory is.
std::vector<std::string> program_environment(const Options& options);
std::string runtime_directory();

}  // namespace hakuriver::systemd
