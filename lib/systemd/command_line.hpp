// The line of systemd-run that starts a task.
#pragma once

#include <string>

#include "hakuriver/argv.hpp"
#include "launch/exec_options.hpp"
#include "systemd/options.hpp"

namespace hakuriver::systemd {

// `task` is what hakuriver-exec is asked for inside. A service appends its output to the files given.
Argv build_command_line(const Options& options, const launch::ExecOptions& task, const std::string& stdout_path = {},
                        const std::string& stderr_path = {});

}  // namespace hakuriver::systemd
