// The manager's own interface on the bus: org.freedesktop.systemd1(5).
#pragma once

#include <optional>
#include <string>

#include "hakuriver/result.hpp"
#include "systemd/options.hpp"
#include "systemd/unit.hpp"

namespace hakuriver::systemd {

// Puts this process into a new scope of that name and with those limits; it is in there when this returns. unavailable
// where the manager cannot be reached this way, and nothing was asked of it: systemd-run(1) may know another.
Status enter_scope(const Options& options);

// These two are of scopes, and are nothing where the manager cannot be reached this way: systemctl(1) may know another.

// LoadState, ActiveState and FreezerState. Not loaded is only what the manager says it does not know.
std::optional<UnitState> read_scope_state(const Options& options);

// `verb` as systemctl has it: "freeze", "thaw", "reset-failed", or "kill" with `signal`. Whether it was done.
std::optional<bool> act_on_scope(const Options& options, const std::string& verb, int signal);

// Has the manager stop a scope in which no process is left, and waits for it, a second at most. With version 1 of
// cgroups the manager need not see that by itself, and otherwise takes its time. What still has processes is left
// alone, and nothing is done where the manager cannot be reached.
void stop_empty_scope(const Options& options);

}  // namespace hakuriver::systemd
