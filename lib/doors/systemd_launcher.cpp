#include "doors/systemd_launcher.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <utility>
#include <vector>

#include "doors/runner_setup.hpp"
#include "doors/task_users.hpp"
#include "doors/unit_probe.hpp"
#include "engine/program_path.hpp"
#include "platform/files.hpp"
#include "systemd/options.hpp"

namespace hakuriver::doors {
namespace {

constexpr std::size_t kMaxDescription = 200;

Error unavailable(std::string message) { return {Errc::unavailable, std::move(message)}; }

// sd_booted(3): PID 1 is systemd.
bool is_booted_with_systemd() {
  struct stat directory {};
  return ::lstat("/run/systemd/system", &directory) == 0 && S_ISDIR(directory.st_mode);
}

std::string path_of(const char* name) {
  return engine::find_program(name, "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin").value_or("");
}

// Our own programs are where the keeper is.
Result<std::string> find_own(const RunnerOptions& options, const char* name) {
  const auto keeper = find_keeper(options);
  if (!keeper) return keeper.error();
  const std::string path = keeper->substr(0, keeper->rfind('/') + 1) + name;
  if (::access(path.c_str(), X_OK) == 0) return path;
  return unavailable("'" + path + "' is missing");
}

// "systemd 252 (252.38-1)": the number, 0 where it cannot be told.
std::uint32_t version_of(const std::string& line) {
  std::uint32_t version = 0;
  const auto blank = line.find(' ');
  if (blank != std::string::npos) std::from_chars(line.data() + blank + 1, line.data() + line.size(), version);
  return version;
}

Result<SystemdLauncher> find_parts(const RunnerOptions& options, const RunnerHome& home) {
  if (!is_booted_with_systemd()) return unavailable("the first process of this machine is not systemd");
  auto program = find_own(options, "hakuriver-systemd");
  if (!program) return program.error();
  auto exec = find_own(options, "hakuriver-exec");
  if (!exec) return exec.error();
  SystemdLauncher launcher;
  launcher.program = std::move(*program);
  launcher.exec = std::move(*exec);
  launcher.systemd_run = path_of("systemd-run");
  launcher.systemctl = path_of("systemctl");
  if (launcher.systemd_run.empty() || launcher.systemctl.empty()) {
    return unavailable("systemd-run and systemctl are not both installed");
  }
  launcher.version = version_of(first_line_of({launcher.systemctl, "--version"}));
  launcher.directory = home.directory + "/units";
  if (const auto made = platform::create_private_directory(launcher.directory); !made) return made.error();
  return launcher;
}

// The limits, and then what only some systems allow.
Status probe(SystemdLauncher& launcher) {
  const auto limits = probe_scope(launcher);
  if (!limits) return Error{Errc::unavailable, launcher.manager() + ": " + limits.error().message};
  launcher.limits_cores = limits->cores;
  launcher.limits_memory = limits->memory;
  launcher.private_network = can_isolate(launcher, true, false);
  launcher.private_pid = can_isolate(launcher, false, true);
  return Unit{};
}

// One line of ASCII: the bus takes no text that is not UTF-8.
std::string describe(const StartRequest& request) {
  std::string text = "task " + to_string(request.key.task) + ": " + shell_quote(request.argv);
  for (char& c : text) {
    if (c < ' ' || c > '~') c = '?';
  }
  return text.substr(0, kMaxDescription);
}

// What hakuriver-exec does rather than the keeper, whose child may be no more than a client.
void move_world(StartRequest& request, launch::ExecOptions& task, bool is_client) {
  task.user = std::exchange(request.user, std::nullopt);
  task.no_new_privileges = std::exchange(request.no_new_privileges, false);
  task.niceness = std::exchange(request.niceness, 0);
  if (!is_client) return;  // else inherited
  task.cpus = std::exchange(request.cpus, {});
  if (!task.cpus.empty()) task.numa_node = request.numa_node;
}

}  // namespace

std::string SystemdLauncher::manager() const {
  if (user_manager) return "the user's own manager";
  return sudo.empty() ? "the system's manager" : "the system's manager through sudo";
}

Result<SystemdLauncher> open_systemd_launcher(const RunnerOptions& options, const RunnerHome& home) {
  auto launcher = find_parts(options, home);
  if (!launcher) return launcher;
  if (::geteuid() == 0) {
    if (const auto probed = probe(*launcher); !probed) return probed.error();
    return launcher;
  }
  std::string reasons;
  SystemdLauncher by_sudo = *launcher;
  by_sudo.sudo = path_of("sudo");
  if (!by_sudo.sudo.empty()) {
    const auto probed = probe(by_sudo);
    if (probed) return by_sudo;
    reasons = probed.error().message + "; ";
  }
  launcher->user_manager = true;
  const auto probed = probe(*launcher);
  if (probed) return launcher;
  return unavailable(reasons + probed.error().message);
}

std::string unit_of(TaskId task, bool is_service) {
  return "hakuriver-task-" + to_string(task) + (is_service ? ".service" : ".scope");
}

StartRequest wrap_in_unit(const SystemdLauncher& launcher, StartRequest request, const TaskSpec& spec) {
  if (!request.refusal.empty()) return request;
  const bool is_service = spec.private_network || spec.private_pid || !spec.user.empty();
  const bool is_client = is_service || !launcher.sudo.empty();
  systemd::Options options;
  options.unit = unit_of(request.key.task, is_service);
  options.directory = launcher.directory;
  options.exec = launcher.exec;
  options.description = describe(request);
  options.millicores = request.millicores;
  options.memory_bytes = request.memory_bytes;
  options.version = launcher.version;
  options.user_manager = launcher.user_manager;
  options.sudo = launcher.sudo;
  options.systemd_run = launcher.systemd_run;
  options.systemctl = launcher.systemctl;
  move_world(request, options.task, is_client);
  // Through sudo the command would be root's.
  if (!launcher.sudo.empty() && !options.task.user) options.task.user = own_task_user();
  // Where a user may not go, this user must not be taken by us.
  if (options.task.user) options.working_directory = std::exchange(request.working_directory, "/");
  options.task.private_network = spec.private_network;
  options.task.private_pid = spec.private_pid;
  // The manager removes a scope with its last process, before anybody could read from its files that memory ran out:
  // one that is limited has a process that reads them first.
  const bool has_control = is_client || request.memory_bytes != 0;
  if (has_control && !is_client) options.task.account_file = options.file(".account");
  options.task.command = std::move(request.argv);
  request.argv = {launcher.program};
  const Argv words = systemd::build_run_words(options);
  request.argv.insert(request.argv.end(), words.begin(), words.end());
  for (auto& entry : request.environment) entry.insert(0, "@");
  request.cgroup = CgroupParent{};
  request.reports_start = true;
  if (!has_control) {
    request.unit = options.unit;
    return request;
  }
  request.control = {launcher.program};
  const Argv control = systemd::build_control_words(options);
  request.control.insert(request.control.end(), control.begin(), control.end());
  return request;
}

}  // namespace hakuriver::doors
