// Tasks as transient units of systemd, through the program hakuriver-systemd.
#pragma once

#include <cstdint>
#include <string>

#include "doors/runner_home.hpp"
#include "hakuriver/argv.hpp"
#include "hakuriver/keeper.hpp"
#include "hakuriver/result.hpp"
#include "hakuriver/runner.hpp"
#include "hakuriver/task.hpp"

namespace hakuriver::doors {

// How this runner gets units, and what they do here.
struct SystemdLauncher {
  std::string program;      // hakuriver-systemd
  std::string exec;         // hakuriver-exec
  std::string systemd_run;  // all are paths
  std::string systemctl;
  std::string sudo;           // empty: not needed
  std::string directory;      // for files that live as long as a task, 0700
  std::uint32_t version = 0;  // of systemd
  bool user_manager = false;
  bool limits_cores = false;  // read back from a unit's cgroup
  bool limits_memory = false;
  bool private_network = false;
  bool private_pid = false;
  bool operator==(const SystemdLauncher&) const = default;

  // "the system's manager", "the system's manager through sudo", "the user's own manager".
  std::string manager() const;
};

// Starts units that do nothing and looks at their cgroups: as root by the system's manager, else through sudo where
// that is allowed without a password, else by the user's own manager. The error says why none of it works.
Result<SystemdLauncher> open_systemd_launcher(const RunnerOptions& options, const RunnerHome& home);

// "hakuriver-task-17.scope", or ".service".
std::string unit_of(TaskId task, bool is_service);

// The request for the same command in a unit of its own: a scope, and a service where the task asks for settings of its
// execution. A scope is the keeper's to signal and to count, unless sudo is in between or memory is limited; for the
// others there is a control program.
StartRequest wrap_in_unit(const SystemdLauncher& launcher, StartRequest request, const TaskSpec& spec);

}  // namespace hakuriver::doors
