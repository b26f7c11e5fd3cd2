#include "systemd/command_line.hpp"

#include "hakuriver/systemd_run.hpp"

namespace hakuriver::systemd {

Argv build_command_line(const Options& options, const launch::ExecOptions& task) {
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
  SystemdService service;
  service.stdout_path = "/dev/null";
  service.stderr_path = "/dev/null";
  // hakuriver-exec makes one as well, for there are managers that go on without; it does not.
  service.private_network = task.private_network;
  Argv command{options.exec};
  const Argv words = launch::build_exec_words(task);
  command.insert(command.end(), words.begin(), words.end());
  if (options.is_scope()) return build_systemd_scope(run, unit, command);
  return build_systemd_service(run, unit, service, command);
}

}  // namespace hakuriver::systemd
