// The main process of an attempt that runs as a unit.
#pragma once

#include <string>
#include <vector>

#include "systemd/options.hpp"

namespace hakuriver::systemd {

// The variables of a task, out of those that a launching program has: those with an "@" in front, and the two that say
// whose process this is.
std::vector<std::string> task_environment(char* const* environment);

// A scope becomes the command in place, where nobody else has to be asked to do it. Else this process stays: it starts
// the unit, passes the report of its start on, and ends as the command does when that has ended. Comes back where the
// unit could not be started, with the status to exit with; why is said on descriptor 3 or standard error.
int run(const Options& options);

}  // namespace hakuriver::systemd
