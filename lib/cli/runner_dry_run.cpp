#include "cli/runner_dry_run.hpp"

#include <charconv>
#include <cstdint>
#include <string>
#include <utility>

#include "doors/isolation.hpp"
#include "doors/runner_containers.hpp"
#include "doors/runner_setup.hpp"
#include "doors/task_users.hpp"
#include "environment/packages.hpp"
#include "hakuriver/docker_run.hpp"
#include "hakuriver/environment.hpp"
#include "hakuriver/keeper.hpp"
#include "hakuriver/numactl.hpp"
#include "hakuriver/resources.hpp"
#include "hakuriver/systemd_run.hpp"
#include "hakuriver/task.hpp"
#include "launch/exec_options.hpp"
#include "platform/topology.hpp"

namespace hakuriver::cli {
namespace {

Error bad(std::string message) { return {Errc::invalid_argument, std::move(message)}; }

Result<std::uint64_t> value_of(const CommandLine& line, const char* name,
                               Result<std::uint64_t> (*parse)(std::string_view), std::uint64_t otherwise) {
  const auto* given = line.find(name);
  if (given == nullptr) return otherwise;
  auto value = parse(given->value);
  if (!value) return bad("--" + std::string(name) + ": " + value.error().message);
  return value;
}

Status read_numa_node(const CommandLine& line, StartRequest& request) {
  const auto* given = line.find("numa");
  if (given == nullptr) return Unit{};
  std::uint32_t node = 0;
  const auto& text = given->value;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), node);
  if (error != std::errc() || end != text.data() + text.size()) {
    return bad("--numa '" + text + "': expected the number of a NUMA node");
  }
  request.numa_node = node;
  return Unit{};
}

// Whom the task asks to run as, or else the runner has its tasks run as; none: this process's user.
Status read_user(const CommandLine& line, const RunnerOptions& options, StartRequest& request) {
  const bool is_local_host = doors::is_local_host(options);
  if (auto checked = doors::check_task_users(options, is_local_host); !checked) return checked;
  const auto users = doors::open_task_users(options, is_local_host);
  const auto* given = line.find("user");
  const std::string name = given != nullptr ? given->value : users.standard;
  if (name.empty()) return given == nullptr ? Status{Unit{}} : bad("--user is empty");
  auto identity = users.find(name);
  if (!identity) return identity.error();
  if (!*identity) return Unit{};
  request.user = std::move((*identity)->ids);
  request.no_new_privileges = true;
  return Unit{};
}

Result<StartRequest> read_request(const CommandLine& line, const RunnerOptions& options) {
  StartRequest request;
  request.argv = line.rest;
  request.working_directory = options.shared_dir;
  const auto millicores = value_of(line, "cores", parse_cores, 1000);
  if (!millicores) return millicores.error();
  const auto memory = value_of(line, "memory", parse_memory, 0);
  if (!memory) return memory.error();
  request.millicores = *millicores;
  request.memory_bytes = *memory;
  if (auto read = read_numa_node(line, request); !read) return read.error();
  if (auto read = read_user(line, options, request); !read) return read.error();
  return request;
}

TaskSpec read_spec(const CommandLine& line) {
  TaskSpec spec;
  if (const auto* given = line.find("user")) spec.user = given->value;
  if (const auto* given = line.find("container"); given != nullptr && given->value != kNodeItself) {
    spec.container = given->value;
  }
  spec.mounts = line.values("mount");
  spec.privileged = line.has("privileged");
  spec.private_network = line.has("private-network");
  spec.private_pid = line.has("private-pid");
  return spec;
}

// What of the task's world no program of the system makes.
Argv with_exec(const DryRunPlace& place, const TaskSpec& spec, const StartRequest& request, Argv command) {
  if (!request.user && !spec.private_network && !spec.private_pid) return command;
  launch::ExecOptions exec;
  exec.user = request.user;
  exec.no_new_privileges = request.no_new_privileges;
  exec.private_network = spec.private_network;
  exec.private_pid = spec.private_pid;
  exec.command = std::move(command);
  Argv argv{place.exec};
  const Argv words = launch::build_exec_words(exec);
  argv.insert(argv.end(), words.begin(), words.end());
  return argv;
}

// Without units only root has private worlds, and for itself alone.
Status check_private(const DryRunPlace& place, const StartRequest& request, const TaskSpec& spec) {
  if (!spec.private_network && !spec.private_pid) return Unit{};
  if (request.user) return Error{Errc::denied, doors::kOtherUserNeedsUnits};
  if (place.is_root) return Unit{};
  return Error{Errc::denied, "a private network or process table needs a runner that is root, or the launcher systemd"};
}

Argv in_unit(const DryRunPlace& place, const StartRequest& request, const TaskSpec& spec, const Argv& command) {
  SystemdRun run;
  if (!place.is_root) run.in_front = {"sudo", "-n"};
  SystemdUnit unit;
  unit.name = "hakuriver-task-0";
  unit.description = "task 0: " + shell_quote(request.argv);
  unit.millicores = request.millicores;
  unit.memory_bytes = request.memory_bytes;
  if (spec.user.empty() && !spec.private_network && !spec.private_pid) return build_systemd_scope(run, unit, command);
  SystemdService service;
  service.working_directory = request.working_directory;
  service.private_network = spec.private_network;
  return build_systemd_service(run, unit, service, command);
}

Result<std::vector<Argv>> in_container(const RunnerOptions& options, StartRequest request, TaskSpec spec) {
  auto pinned = environment::pin_container(environment::Packages(options.package_dir), spec.container);
  if (!pinned) return pinned.error();
  spec.container = std::move(*pinned);
  if (request.numa_node) {
    const auto facts = platform::detect_node();
    if (!facts) return facts.error();
    for (const auto& node : facts->numa_nodes) {
      if (node.id == *request.numa_node) request.cpus = node.cpus;
    }
    if (request.cpus.empty()) {
      return bad("--numa " + std::to_string(*request.numa_node) + ": this machine has no such NUMA node");
    }
  }
  const auto planned = doors::plan_container(doors::settings_for_containers(options), request, spec);
  if (!planned) return planned.error();
  Argv start = client_words({});
  start.insert(start.end(), {"start", "--attach", planned->name});
  return std::vector<Argv>{build_docker_create({}, *planned, request.argv), std::move(start)};
}

}  // namespace

Result<std::vector<Argv>> build_dry_run(const CommandLine& line, const RunnerOptions& options,
                                        const DryRunPlace& place) {
  if (line.rest.empty()) return bad("--dry-run: expected a command behind '--'");
  auto request = read_request(line, options);
  if (!request) return request.error();
  const TaskSpec spec = read_spec(line);
  if (!spec.container.empty()) return in_container(options, std::move(*request), spec);
  if (!spec.mounts.empty() || spec.privileged) return bad("--mount and --privileged need a --container");
  Argv command = request->argv;
  if (request->numa_node) {
    const std::string numactl = options.numactl.value_or("");
    command = build_numactl(command, *request->numa_node, numactl.empty() ? "numactl" : numactl);
  }
  const bool is_unit = options.launcher == "systemd" || (options.launcher == "auto" && place.has_systemd);
  if (!is_unit) {
    if (const auto allowed = check_private(place, *request, spec); !allowed) return allowed.error();
  }
  // Through sudo the command would be root's.
  if (is_unit && !place.is_root && !request->user) request->user = doors::own_task_user();
  command = with_exec(place, spec, *request, std::move(command));
  return std::vector<Argv>{is_unit ? in_unit(place, *request, spec, command) : command};
}

}  // namespace hakuriver::cli
