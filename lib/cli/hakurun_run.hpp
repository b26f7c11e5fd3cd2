// Runs a sweep on this machine and tells on stderr what went wrong.
#pragma once

#include "cli/hakurun.hpp"
#include "cli/hakurun_options.hpp"
#include "hakuriver/command_sweep.hpp"

namespace hakuriver::cli {

// Returns hakurun's exit status.
int run_sweep(const CommandSweep& sweep, const HakurunOptions& options, HakurunStreams streams);

// "hakurun: " and the line, to stderr.
void say(HakurunStreams streams, std::string_view line);

}  // namespace hakuriver::cli
