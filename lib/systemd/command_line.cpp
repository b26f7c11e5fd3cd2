#include "systemd/command_line.hpp"

#include <utility>

#include "hakuriver/systemd_run.hpp"

namespace hakuriver::systemd {

Argv build_command_line(const Options& options, const launch::ExecOptions& task, const std::string& stdout_path,
                        const std::string& stderr_path) {
  SystemdRun run;
  run.program = options.systemd_run;
  if (!options.sudo.empty()) run.in_front = {options.sudo, "-n"};
  run.user_manager = options.user_manager;
  run.version = options.version;
  SystemdUnit unit;
  unit.name = options.unit.substr(0, options.unit.rfind('.'));
  unit.description = options.description;
  unit.millicores = options.millicores;
  unit.memory_bytes = options.memory_bytes;
  launch::ExecOptions inside = task;
  SystemdService service;
  service.stdout_path = stdout_path;
  service.stderr_path = stderr_path;
  // The manager's word for it, where it makes the namespace before our program runs.
  service.private_network = std::exchange(inside.private_network, options.is_scope() && task.private_network);
  Argv command{options.exec};
  const Argv words = launch::build_exec_words(inside);
  command.insert(command.end(), words.begin(), words.end());
  if (options.is_scope()) return build_systemd_scope(run, unit, command);
  return build_systemd_service(run, unit, service, command);
}

}  // namespace hakuriver::systemd
