// What a runner would run for a task, shown and not done.
#pragma once

#include <string>
#include <vector>

#include "cli/options.hpp"
#include "hakuriver/argv.hpp"
#include "hakuriver/result.hpp"
#include "hakuriver/runner.hpp"

namespace hakuriver::cli {

// What of this machine the lines depend on.
struct DryRunPlace {
  bool has_systemd = false;  // what the launcher "auto" is here
  bool is_root = false;      // else sudo comes before systemd-run, and the command becomes this process's user again
  std::string exec{};        // hakuriver-exec, for what is done to a command before it begins
};

// The command lines that stand for the task `line.rest`, to be run one after another: a scope or a service of
// systemd-run where the launcher has units, else only what is in front of the command; for a container its making and
// its start. Left out are the task's environment, its output, how it reports to its keeper, and the directory where the
// caller's own stays: all but services and containers. Asks the user database and, for a container, looks at this
// machine's CPUs and the packaged environments, and nothing else. A wrong option is invalid_argument, what the runner
// does not allow is denied, a package that is not there is not_found.
Result<std::vector<Argv>> build_dry_run(const CommandLine& line, const RunnerOptions& options,
                                        const DryRunPlace& place);

}  // namespace hakuriver::cli
