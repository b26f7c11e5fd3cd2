// Command lines of systemd-run(1), which give a command cgroup limits of its own.
//
//   SystemdUnit unit{.name = "hakuriver-task-7", .description = "task 7", .millicores = 2000, .memory_bytes = 1 << 30};
//   build_systemd_scope({}, unit, {"./solve", "--fast"})
//     -> systemd-run --scope --collect --unit=hakuriver-task-7 "--description=task 7" --property=CPUQuota=200%
//        --property=MemoryMax=1073741824 --property=MemorySwapMax=0 --quiet -- ./solve --fast
//
// In a scope systemd-run itself executes the command, in place: it keeps the caller's user, directory, environment and
// descriptors, and settings of an execution are refused. In a service the manager executes it, in a world that is
// described here. A CPUQuota counts hundredths of one CPU.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "hakuriver/argv.hpp"

namespace hakuriver {
inline namespace v1 {

// How systemd-run is called.
struct SystemdRun {
  std::string program = "systemd-run";  // a path, or a name that is looked up on PATH
  Argv in_front{};                      // such as {"sudo", "-n"}
  bool user_manager = false;            // the caller's own manager instead of the system's
  std::uint32_t version = 0;            // of systemd; 0: not known, so nothing that is not in all of them
};

// What a scope and a service have in common.
struct SystemdUnit {
  std::string name;  // without its suffix
  std::string description{};
  std::uint64_t millicores = 0;    // 0: no quota
  std::uint64_t memory_bytes = 0;  // 0: no limit
};

// What a service has besides. All paths are absolute.
struct SystemdService {
  std::string user{};               // a name or a number; empty: the manager's own
  std::string group{};              // the same
  std::string working_directory{};  // empty: the manager's
  // Appended to. The manager opens them by name, with all that it may: not for a directory in which others may put
  // links in their place. "/dev/null": nothing is kept; empty: the manager's journal.
  std::string stdout_path{};
  std::string stderr_path{};
  // No interface but a loopback of its own. A manager that may not make one goes on without it and only logs so:
  // whoever depends on it has the command look, or make its own.
  bool private_network = false;
};

// "400%" for four cores; what is below a hundredth of a CPU keeps its decimal.
inline std::string cpu_quota(std::uint64_t millicores) {
  std::string percent = std::to_string(millicores / 10);
  if (millicores % 10 != 0) percent += "." + std::to_string(millicores % 10);
  return percent + "%";
}

namespace systemd_run_detail {

// systemd-run and the manager put variables in place of "$NAME" and "${NAME}", and "$" in place of "$$".
inline std::string escape_variables(const std::string& word) {
  std::string escaped;
  for (const char c : word) escaped.append(c == '$' ? 2u : 1u, c);
  return escaped;
}

inline bool can_leave_variables(const SystemdRun& run) noexcept { return run.version >= 254; }

inline void add_property(Argv& argv, const std::string& assignment) { argv.push_back("--property=" + assignment); }

inline void add_output(Argv& argv, const char* name, const std::string& path) {
  if (!path.empty()) add_property(argv, name + (path == "/dev/null" ? "null" : "append:" + path));
}

inline Argv build_start(const SystemdRun& run) {
  Argv argv = run.in_front;
  argv.push_back(run.program);
  if (run.user_manager) argv.emplace_back("--user");
  return argv;
}

inline void add_unit(Argv& argv, const SystemdUnit& unit, std::uint32_t version) {
  argv.push_back("--unit=" + unit.name);
  if (!unit.description.empty()) argv.push_back("--description=" + unit.description);
  if (unit.millicores != 0) add_property(argv, "CPUQuota=" + cpu_quota(unit.millicores));
  if (unit.memory_bytes != 0) add_property(argv, "MemoryMax=" + std::to_string(unit.memory_bytes));
  add_property(argv, "MemorySwapMax=0");
  // A process that the kernel kills for its memory takes no others of its unit with it. Scopes know this since 252.
  if (version >= 252) add_property(argv, "OOMPolicy=continue");
}

}  // namespace systemd_run_detail

// A transient scope around the command. It is gone when its last process is.
inline Argv build_systemd_scope(const SystemdRun& run, const SystemdUnit& unit, const Argv& command) {
  Argv argv = systemd_run_detail::build_start(run);
  argv.insert(argv.end(), {"--scope", "--collect"});
  systemd_run_detail::add_unit(argv, unit, run.version);
  // A scope's command is left as it is by all versions up to now; those that can be told are told.
  if (systemd_run_detail::can_leave_variables(run)) argv.emplace_back("--expand-environment=no");
  argv.insert(argv.end(), {"--quiet", "--"});
  argv.insert(argv.end(), command.begin(), command.end());
  return argv;
}

// A transient service that stays when its command has ended, so that the manager can be asked how. Whoever has asked
// stops it and resets it. systemd-run is done when the command was executed.
inline Argv build_systemd_service(const SystemdRun& run, const SystemdUnit& unit, const SystemdService& service,
                                  const Argv& command) {
  using systemd_run_detail::add_output;
  using systemd_run_detail::add_property;
  Argv argv = systemd_run_detail::build_start(run);
  systemd_run_detail::add_unit(argv, unit, run.version);
  add_property(argv, "Type=exec");
  add_property(argv, "RemainAfterExit=yes");
  add_property(argv, "TimeoutStopSec=2s");  // what a command left behind has from TERM to KILL
  if (!service.user.empty()) add_property(argv, "User=" + service.user);
  if (!service.group.empty()) add_property(argv, "Group=" + service.group);
  if (!service.working_directory.empty()) add_property(argv, "WorkingDirectory=" + service.working_directory);
  add_output(argv, "StandardOutput=", service.stdout_path);
  add_output(argv, "StandardError=", service.stderr_path);
  if (service.private_network) add_property(argv, "PrivateNetwork=yes");
  const bool leaves = systemd_run_detail::can_leave_variables(run);
  if (leaves) argv.emplace_back("--expand-environment=no");
  argv.insert(argv.end(), {"--quiet", "--"});
  for (const auto& word : command) argv.push_back(leaves ? word : systemd_run_detail::escape_variables(word));
  return argv;
}

}  // namespace v1
}  // namespace hakuriver
