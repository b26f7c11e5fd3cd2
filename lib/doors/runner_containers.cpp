#include "doors/runner_containers.hpp"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "container/child.hpp"
#include "container/engine.hpp"
#include "container/options.hpp"
#include "doors/runner_setup.hpp"
#include "engine/program_path.hpp"
#include "hakuriver/environment.hpp"
#include "platform/files.hpp"
#include "platform/identity.hpp"

namespace hakuriver::doors {
namespace {

constexpr std::string_view kUnix = "unix://";
constexpr const char* kUsualSocket = "/var/run/docker.sock";
constexpr const char* kUsualPath = "/usr/local/bin:/usr/bin:/bin";
constexpr std::chrono::milliseconds kPatience{10'000};

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

bool is_program(const std::string& path) { return ::access(path.c_str(), X_OK) == 0; }

std::optional<std::string> find_on_path(const std::string& name) {
  const std::string path = variable("PATH");
  return engine::find_program(name, path.empty() ? kUsualPath : path);
}

// An engine that can be asked without a client program.
Status find_socket(Containers& containers) {
  const std::string told = variable("DOCKER_HOST");
  if (!told.empty() && !told.starts_with(kUnix)) {
    return Error{Errc::invalid_argument,
                 "DOCKER_HOST '" + told + "' is not a Unix socket: containers must run on this node"};
  }
  const std::string socket = told.empty() ? kUsualSocket : told.substr(kUnix.size());
  auto engine = container::open_api_engine(socket);
  if (!engine) return engine.error();
  containers.socket = socket;
  const auto docker = find_on_path("docker");
  containers.login_client = docker ? *docker : find_on_path("podman").value_or("");
  return Unit{};
}

// Where a client program keeps its settings and, without a daemon, its containers.
std::vector<std::string> with_home(std::vector<std::string> environment) {
  for (const std::string name : container::kClientVariables) {
    const std::string value = variable(name.c_str());
    if (!value.empty()) environment.push_back(name + "=" + value);
  }
  return environment;
}

Status find_client(Containers& containers) {
  Error why{Errc::not_found, std::string("no engine at '") + kUsualSocket + "', and no docker or podman on the PATH"};
  for (const std::string name : {"docker", "podman"}) {
    const auto program = find_on_path(name);
    if (!program) continue;
    const auto end = container::run_child({{*program, "ps", "--quiet"}, with_home({}), kPatience});
    if (end && end->exit_code == 0) {
      containers.client = *program;
      return Unit{};
    }
    const std::string how = !end ? end.error().message : "exits with " + std::to_string(end->exit_code);
    why = Error{Errc::unavailable, "'" + *program + " ps --quiet': " + how};
  }
  return why;
}

Status find_engine(Containers& containers, EngineSearch search) {
  const auto at_socket = find_socket(containers);
  if (at_socket || search == EngineSearch::sockets || !variable("DOCKER_HOST").empty()) return at_socket;
  const auto by_client = find_client(containers);
  return by_client || ::access(kUsualSocket, F_OK) != 0 ? by_client : at_socket;
}

std::string_view name_of(std::string_view entry) { return entry.substr(0, entry.find('=')); }

bool is_given(const TaskSpec& spec, std::string_view name) {
  const auto has_name = [name](const auto& variable) { return variable.first == name; };
  return std::any_of(spec.environment.begin(), spec.environment.end(), has_name);
}

// An image has its own programs, users and languages.
bool is_of_node(const Containers& containers, std::string_view name) {
  constexpr std::string_view kOfNode[] = {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG"};
  return name.starts_with("LC_") || std::find(std::begin(kOfNode), std::end(kOfNode), name) != std::end(kOfNode) ||
         std::find(containers.node_variables.begin(), containers.node_variables.end(), name) !=
             containers.node_variables.end();
}

std::string normal(const std::string& path) {
  std::string text = std::filesystem::path(path).lexically_normal().string();
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

bool is_own_mount(const Containers& containers, const std::string& text) {
  const auto& own = containers.additional_mounts;
  return std::find(own.begin(), own.end(), text) != own.end();
}

// By its name. Where links lead is looked at by the program that asks the engine, just before that: this is the thread
// that everything waits for, and a file system may not answer.
bool is_allowed(const std::vector<std::string>& directories, const std::string& path) {
  return std::any_of(directories.begin(), directories.end(),
                     [one = normal(path)](const auto& it) { return is_below(one, normal(it)); });
}

Status check_allowed(const Containers& containers, const TaskSpec& spec) {
  if (spec.privileged && !containers.allow_privileged) {
    return Error{Errc::denied, "privileged containers are not allowed here: [docker] allow_privileged"};
  }
  for (const auto& text : spec.mounts) {
    const auto mount = parse_mount(text);
    if (!mount) return Error{mount.error().code, "mount " + mount.error().message};
    const bool is_limited = containers.allow_mounts && !is_own_mount(containers, text);
    if (is_limited && !is_allowed(*containers.allow_mounts, mount->source)) {
      return Error{Errc::denied, "mount '" + mount->source + "' is not allowed here: [docker] allow_mounts"};
    }
  }
  return Unit{};
}

std::vector<Mount> mounts_of(const Containers& containers, const TaskSpec& spec) {
  std::vector<Mount> mounts{{containers.shared_dir, containers.shared_dir, false}};
  if (containers.shared_dir != "/shared") mounts.push_back({containers.shared_dir + "/shared_data", "/shared", false});
  mounts.push_back({containers.local_temp_dir, "/local_temp", false});
  for (const auto& text : spec.mounts) {
    auto wanted = *parse_mount(text);
    // What a task asks for is put in the place of what it would have.
    std::erase_if(mounts, [&wanted](const Mount& mount) { return mount.target == wanted.target; });
    mounts.push_back(std::move(wanted));
  }
  return mounts;
}

// Takes those out that the task asked for and may only have below some directories.
void limit_mounts(const Containers& containers, const TaskSpec& spec, container::Options& options) {
  if (!containers.allow_mounts) return;
  options.allow_mounts = *containers.allow_mounts;
  for (const auto& text : spec.mounts) {
    if (is_own_mount(containers, text)) continue;
    auto mount = *parse_mount(text);
    if (std::erase(options.container.mounts, mount) != 0) options.limited_mounts.push_back(std::move(mount));
  }
}

// A directory of the node as the container sees it, by the mount that fits best; else one that is meant inside.
std::string seen_inside(const std::vector<Mount>& mounts, const std::string& directory) {
  const Mount* best = nullptr;
  for (const auto& mount : mounts) {
    const bool fits = is_below(directory, mount.source);
    if (fits && (best == nullptr || mount.source.size() > best->source.size())) best = &mount;
  }
  if (best == nullptr) return directory;
  const std::string rest = best->source == "/" ? directory : directory.substr(best->source.size());
  return best->target == "/" ? rest : best->target + rest;
}

std::vector<std::string> environment_of(const Containers& containers, const StartRequest& request,
                                        const TaskSpec& spec) {
  std::vector<std::string> environment;
  for (const auto& entry : request.environment) {
    const auto name = name_of(entry);
    if (name == "HAKURIVER_LOCAL_TEMP_DIR") {
      environment.emplace_back("HAKURIVER_LOCAL_TEMP_DIR=/local_temp");
    } else if (is_given(spec, name) || !is_of_node(containers, name)) {
      environment.push_back(entry);
    }
  }
  return environment;
}

// Known by its task in what `docker ps` shows, and by its attempt, so that two never meet.
std::string container_name(AttemptKey key) {
  const std::string name = "hakuriver-task-" + to_string(key.task);
  return key.attempt.value > 1 ? name + "." + std::to_string(key.attempt.value) : name;
}

container::Options options_of(const Containers& containers, const StartRequest& request, const TaskSpec& spec,
                              Container planned) {
  container::Options options;
  options.socket = containers.socket;
  options.program = containers.client;
  options.name = planned.name;
  options.owner =
      containers.runner_id + "/" + to_string(request.key.task) + "/" + std::to_string(request.key.attempt.value);
  options.state = containers.directory + "/" + options.name;
  options.init = containers.init;
  options.hakurun = containers.hakurun;
  options.niceness = request.niceness;
  options.source = {containers.package_dir,  containers.directory + "/images", {}, containers.login_client, {},
                    containers.keep_versions};
  if (parse_package(spec.container)) options.source.package = spec.container;
  options.container = std::move(planned);
  limit_mounts(containers, spec, options);
  return options;
}

}  // namespace

Containers settings_for_containers(const RunnerOptions& options) {
  Containers containers;
  containers.shared_dir = normal(options.shared_dir);
  containers.local_temp_dir = normal(options.local_temp_dir);
  containers.package_dir = options.package_dir.empty() ? std::string() : normal(options.package_dir);
  for (const auto& [name, value] : options.task_variables) containers.node_variables.push_back(name);
  containers.keep_versions = options.keep_versions;
  containers.allow_privileged = options.allow_privileged;
  containers.allow_mounts = options.allow_mounts;
  containers.additional_mounts = options.additional_mounts;
  return containers;
}

Result<Containers> open_containers(const RunnerOptions& options, const RunnerHome& home, EngineSearch search) {
  Containers containers = settings_for_containers(options);
  if (auto found = find_engine(containers, search); !found) return found.error();
  const auto keeper = find_keeper(options);
  if (!keeper) return keeper.error();
  const std::string directory = keeper->substr(0, keeper->rfind('/'));
  containers.program = directory + "/hakuriver-container";
  containers.init = directory + "/hakuriver-container-init";
  for (const auto& program : {containers.program, containers.init}) {
    if (!is_program(program)) return Error{Errc::conflict, "'" + program + "' is missing"};
  }
  if (const auto own = platform::executable_directory(); own && is_program(*own + "/hakurun")) {
    containers.hakurun = *own + "/hakurun";
  }
  containers.directory = home.directory + "/containers";
  if (auto made = platform::create_private_directory(containers.directory); !made) return made.error();
  containers.runner_id = home.runner_id;
  return containers;
}

Status ask_engine(const Containers& containers) {
  if (containers.socket.empty()) return Unit{};
  const auto engine = container::open_api_engine(containers.socket);
  if (!engine) return engine.error();
  return Unit{};
}

Status prepare_shared_data(const Containers& containers) {
  const std::string path = containers.shared_dir + "/shared_data";
  if (containers.shared_dir == "/shared" || ::mkdir(path.c_str(), 0777) != 0) {
    struct stat facts {};
    if (containers.shared_dir == "/shared") return Unit{};
    if (errno == EEXIST && ::lstat(path.c_str(), &facts) == 0) {
      if (S_ISDIR(facts.st_mode)) return Unit{};
      return Error{Errc::conflict, "'" + path + "' is a link or a file: expected a directory"};
    }
    return Error{Errc::io, "cannot create '" + path + "': " + std::generic_category().message(errno)};
  }
  // Ours may be any umask, and whom tasks run as any user.
  ::chmod(path.c_str(), 01777);
  return Unit{};
}

Result<Container> plan_container(const Containers& containers, const StartRequest& request, const TaskSpec& spec) {
  if (const auto allowed = check_allowed(containers, spec); !allowed) return allowed.error();
  Container planned;
  planned.name = container_name(request.key);
  planned.image = image_of(spec.container);
  planned.user = std::to_string(request.user ? request.user->uid : ::geteuid()) + ":" +
                 std::to_string(request.user ? request.user->gid : ::getegid());
  planned.groups = request.user ? request.user->groups : platform::own_groups();
  planned.network = spec.private_network ? "none" : "host";
  planned.millicores = request.millicores;
  planned.memory_bytes = request.memory_bytes;
  planned.cpus = request.cpus;
  if (!request.cpus.empty()) planned.memory_node = request.numa_node;
  planned.mounts = mounts_of(containers, spec);
  planned.working_directory = seen_inside(planned.mounts, normal(request.working_directory));
  planned.privileged = spec.privileged;
  planned.no_new_privileges = request.no_new_privileges;
  return planned;
}

StartRequest wrap_in_container(const Containers& containers, StartRequest request, const TaskSpec& spec) {
  if (!request.refusal.empty()) return request;
  auto planned = plan_container(containers, request, spec);
  if (!planned) {
    request.refusal = planned.error().message;
    return request;
  }
  const auto options = options_of(containers, request, spec, std::move(*planned));
  Argv argv{containers.program};
  for (auto& word : container::build_run_words(options)) argv.push_back(std::move(word));
  argv.insert(argv.end(), {"run", "--"});
  argv.insert(argv.end(), request.argv.begin(), request.argv.end());
  request.argv = std::move(argv);
  request.control = {containers.program};
  for (auto& word : container::build_common_words(options)) request.control.push_back(std::move(word));
  request.environment = environment_of(containers, request, spec);
  // The program is the runner's user, often root, and must not be loaded, linked or configured as a task says.
  for (auto& entry : request.environment) entry.insert(0, "@");
  request.environment = with_home(std::move(request.environment));
  // All of this is the container's, and the client's world is nobody's.
  request.working_directory = "/";
  request.cpus.clear();
  request.cgroup = {};
  request.user.reset();
  request.no_new_privileges = false;
  request.niceness = 0;
  return request;
}

}  // namespace hakuriver::doors
