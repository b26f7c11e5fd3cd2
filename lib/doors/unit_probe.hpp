// A unit that does nothing, started to see whether units can be started here and what becomes of their limits.
#pragma once

#include <string>

#include "doors/systemd_launcher.hpp"
#include "hakuriver/argv.hpp"
#include "hakuriver/result.hpp"

namespace hakuriver::doors {

// The first line that a program, a path, prints; empty where it fails.
std::string first_line_of(const Argv& argv);

struct UnitLimits {
  bool cores = false;
  bool memory = false;
};

// Starts a scope with limits, reads them back from the files of its cgroup, and ends it by the verbs `kill` and
// `finish`: unavailable where any of that does not work.
Result<UnitLimits> probe_scope(const SystemdLauncher& launcher);

// Whether a service with a private network, or process table, can be started.
bool can_isolate(const SystemdLauncher& launcher, bool private_network, bool private_pid);

}  // namespace hakuriver::doors
