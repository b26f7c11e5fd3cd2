// A process that stands for a unit which is not below it.
#pragma once

#include <string>
#include <vector>

#include "launch/start_report.hpp"
#include "systemd/options.hpp"

namespace hakuriver::systemd {

// Starts the unit by systemd-run, through sudo where that is asked for, passes on to `report_fd` what hakuriver-exec
// reports of the start, closes it, and ends this process as the command ended. Comes back where nothing was started.
launch::ExecFailure run_as_client(const Options& options, std::vector<std::string> environment, int report_fd);

}  // namespace hakuriver::systemd
