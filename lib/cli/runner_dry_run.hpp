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

// Options that say what the task asks for, as a submission's do: they make no sense for a runner that serves.
inline constexpr const char* kDryRunOptions[] = {"cores",       "memory",    "numa",  "user",      "private-network",
                                                 "private-pid", "container", "mount", "privileged"};

// The command lines that stand for the task `line.rest`, to be run one after another: a scope or a service of
// systemd-run where the launcher has units, else only what is in front of the command; for a container its making and
// its start. What is only for the record of a task, and how it reports to its keeper, is left out. Asks the user
// database and looks at this machine's CPUs, and nothing else; a wrong option is invalid_argument, what the runner does
// not allow is denied.
Result<std::vector<Argv>> build_dry_run(const CommandLine& line, const RunnerOptions& options,
                                        const DryRunPlace& place);

}  // namespace hakuriver::cli
