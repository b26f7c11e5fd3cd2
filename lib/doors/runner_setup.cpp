#include "doors/runner_setup.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "doors/mount_settings.hpp"
#include "doors/numa_binding.hpp"
#include "doors/task_environment.hpp"
#include "doors/task_users.hpp"
#include "hakuriver/target.hpp"
#include "http/guard.hpp"
#include "http/url.hpp"
#include "keeper/client.hpp"
#include "platform/clock.hpp"
#include "platform/files.hpp"
#include "platform/identity.hpp"
#include "platform/random.hpp"
#include "platform/topology.hpp"
#include "service/null_keeper.hpp"

namespace hakuriver::doors {
namespace {

#ifndef HAKURIVER_LIBEXEC_DIRECTORY
#define HAKURIVER_LIBEXEC_DIRECTORY "/usr/local/libexec"
#endif

constexpr std::string_view kKeeper = "/hakuriver/hakuriver-keeper";

Error bad(std::string message) { return {Errc::invalid_argument, std::move(message)}; }

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

Result<std::string> default_home() {
  if (std::string home = variable("HAKURIVER_HOME"); !home.empty()) return home;
  if (const std::string home = variable("HOME"); !home.empty()) return home + "/.hakuriver";
  return bad("home: neither HAKURIVER_HOME nor HOME is set: say where a runner may keep its state");
}

Status check_paths(const RunnerOptions& options) {
  const std::pair<const char*, const std::string&> paths[] = {{"home", options.home},
                                                              {"state_dir", options.state_dir},
                                                              {"shared_dir", options.shared_dir},
                                                              {"local_temp_dir", options.local_temp_dir}};
  for (const auto& [key, path] : paths) {
    if (path.front() != '/') return bad(std::string(key) + ": '" + path + "' is not an absolute path");
  }
  return Unit{};
}

Status check_host(const RunnerOptions& options) {
  const auto url = http::parse_url(options.host_url);
  if (!url) return Error{url.error().code, "host_url: " + url.error().message};
  return check_task_users(options, is_local_host(options));
}

Status check_listen(const RunnerOptions& options) {
  const bool is_open = options.listen_port && options.token.empty() && !http::is_loopback(options.listen_address);
  if (is_open) return bad("listening on " + options.listen_address + " needs a token: anyone could read the tasks");
  return Unit{};
}

Status check_launcher(const RunnerOptions& options) {
  const auto& launcher = options.launcher;
  for (const char* known : {"auto", "systemd", "cgroup", "plain", "none"}) {
    if (launcher == known) return Unit{};
  }
  return bad("launcher '" + launcher + "': expected auto, systemd, cgroup, plain or none");
}

Status check_mounts(const RunnerOptions& options) {
  return check_mount_settings(options.additional_mounts, options.allow_mounts);
}

bool is_directory(const std::string& path) {
  struct stat file {};
  return ::stat(path.c_str(), &file) == 0 && S_ISDIR(file.st_mode);
}

Status prepare_directory(const char* key, const std::string& path, const std::string& home) {
  if (path.starts_with(home + "/")) {
    if (const auto made = platform::create_private_directory(path); !made) {
      return Error{made.error().code, std::string(key) + ": " + made.error().message};
    }
  }
  if (!is_directory(path)) return bad(std::string(key) + ": '" + path + "' is no directory: create or mount it");
  const auto writable = platform::check_writable_directory(path);
  return writable ? writable : bad(std::string(key) + ": " + writable.error().message);
}

Result<std::unique_ptr<KeeperPort>> open_null_keeper() {
  auto journal = platform::random_hex(16);
  if (!journal) return journal.error();
  auto boot = platform::boot_id();
  if (!boot) return boot.error();
  auto keeper = service::NullKeeper::open({std::move(*journal), std::move(*boot)}, platform::utc_now);
  if (!keeper) return keeper.error();
  return std::unique_ptr<KeeperPort>(std::move(*keeper));
}

}  // namespace

bool is_local_host(const RunnerOptions& options) {
  const auto url = http::parse_url(options.host_url);
  return options.connect != nullptr || (url && http::is_loopback(url->host));
}

Result<RunnerOptions> complete_options(RunnerOptions options) {
  if (options.name.empty()) {
    auto name = platform::host_name();
    if (!name) return name.error();
    options.name = std::move(*name);
  }
  if (!is_node_name(options.name)) {
    return bad("name '" + options.name + "' is not a node's name: expected 1 to 63 of A-Z a-z 0-9 . _ -");
  }
  if (options.home.empty()) {
    auto home = default_home();
    if (!home) return home.error();
    options.home = std::move(*home);
  }
  if (options.state_dir.empty()) options.state_dir = options.home + "/state";
  if (options.shared_dir.empty()) options.shared_dir = options.home + "/shared";
  if (options.local_temp_dir.empty()) options.local_temp_dir = options.home + "/tmp";
  for (const auto& check : {check_paths, check_host, check_listen, check_launcher, check_mounts}) {
    if (const auto checked = check(options); !checked) return checked.error();
  }
  return options;
}

Status prepare_directories(const RunnerOptions& options) {
  if (auto ready = prepare_directory("shared_dir", options.shared_dir, options.home); !ready) return ready;
  return prepare_directory("local_temp_dir", options.local_temp_dir, options.home);
}

Result<NodeFacts> detect_facts(const RunnerOptions& options) {
  platform::DetectOptions detect;
  detect.millicores = options.millicores;
  detect.memory_bytes = options.memory_bytes;
  detect.max_tasks = options.max_tasks;
  detect.synthetic = options.synthetic_topology;
  auto facts = platform::detect_node(detect);
  if (!facts) return facts.error();
  facts->url = options.announced_url;
  if (facts->url.empty() && options.listen_port.value_or(0) != 0) {
    facts->url = http::to_string(http::Url{options.listen_address, *options.listen_port});
  }
  if (options.launcher == "none") facts->enforced.clear();
  facts->limits = true;
  return facts;
}

service::TaskWorld make_world(const RunnerOptions& options, const NodeFacts& facts, LogSink& log) {
  service::TaskWorld world;
  world.node = options.name;
  world.host_url = options.host_url;
  world.shared_dir = options.shared_dir;
  world.local_temp_dir = options.local_temp_dir;
  const auto programs = platform::executable_directory();
  world.environment = task_environment(programs ? *programs : "/usr/local/bin");
  world.environment.insert(world.environment.end(), options.task_variables.begin(), options.task_variables.end());
  world.kill_grace = options.kill_grace;
  world.numa_nodes = facts.numa_nodes;
  world.binds_numa = std::find(facts.enforced.begin(), facts.enforced.end(), "numa") != facts.enforced.end();
  if (!world.binds_numa) return world;
  const auto numactl = find_numactl(options.numactl, facts.numa_nodes.front().id);
  if (numactl) {
    world.numactl = *numactl;
  } else {
    log.warning(numactl.error().message + "; binding without it");
  }
  return world;
}

// Beside our programs, as they are installed and as they are built; else where this library was installed.
Result<std::string> find_keeper(const RunnerOptions& options) {
  if (!options.keeper_program.empty()) {
    if (::access(options.keeper_program.c_str(), X_OK) == 0) return options.keeper_program;
    return bad("hakuriver-keeper: '" + options.keeper_program + "' is no program that this user can run");
  }
  std::vector<std::string> places;
  if (const auto directory = platform::executable_directory()) {
    places.push_back(directory->substr(0, directory->rfind('/')) + "/libexec" + std::string(kKeeper));
  }
  places.push_back(HAKURIVER_LIBEXEC_DIRECTORY + std::string(kKeeper));
  for (const auto& place : places) {
    if (::access(place.c_str(), X_OK) == 0) return place;
  }
  return bad("hakuriver-keeper is missing: looked for '" + places.front() + "' and '" + places.back() +
             "'; HAKURIVER_KEEPER says where it is");
}

Result<std::unique_ptr<KeeperPort>> open_keeper(const RunnerOptions& options, const RunnerHome& home) {
  if (options.launcher == "none") return open_null_keeper();
  auto program = find_keeper(options);
  if (!program) return program.error();
  keeper::KeeperClientOptions client;
  client.state_directory = home.directory;
  client.keeper_program = std::move(*program);
  return keeper::open_keeper(std::move(client));
}

}  // namespace hakuriver::doors
