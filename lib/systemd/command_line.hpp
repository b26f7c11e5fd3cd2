// The line of systemd-run that starts a task.
#pragma once

#include <string>

#include "hakuriver/argv.hpp"
#include "launch/exec_options.hpp"
#include "systemd/options.hpp"

namespace hakuriver::systemd {

// `task` is what hakuriver-exec is asked for inside. A service's output is on /dev/null until that has begun.
Argv build_command_line(const Options& options, const launch::ExecOptions& task);

}  // namespace hakuriver::systemd
