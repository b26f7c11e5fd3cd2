// What a runner would run for a task, shown and not done.
#pragma once

#include <optional>

#include "cli/options.hpp"
#include "hakuriver/argv.hpp"
#include "hakuriver/config.hpp"
#include "hakuriver/result.hpp"

namespace hakuriver::cli {

// The command line that stands for the task `line.rest` with --cores, --memory and --numa of `line`: systemd-run and
// numactl in front as far as the configured launcher has them. `has_systemd`: what "auto" is here; `is_root`: else sudo
// comes first.
Result<Argv> build_dry_run(const CommandLine& line, const Config& config, bool has_systemd, bool is_root);

}  // namespace hakuriver::cli
