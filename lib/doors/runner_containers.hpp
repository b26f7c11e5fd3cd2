// Tasks in containers, through the program hakuriver-container.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "doors/runner_home.hpp"
#include "hakuriver/docker_run.hpp"
#include "hakuriver/keeper.hpp"
#include "hakuriver/log.hpp"
#include "hakuriver/result.hpp"
#include "hakuriver/runner.hpp"
#include "hakuriver/task.hpp"

namespace hakuriver::doors {

// How this runner gets containers. All are paths.
struct Containers {
  std::string program;       // hakuriver-container
  std::string init;          // hakuriver-container-init
  std::string hakurun;       // empty: there is none
  std::string socket;        // of the engine; or
  std::string client;        // docker or podman
  std::string login_client;  // docker or podman, which knows the runner's logins; empty: it is not needed, or not there
  std::string directory;     // for files that live as long as a task, 0700
  std::string runner_id;
  std::string shared_dir;
  std::string local_temp_dir;
  std::string package_dir;                  // where environments are packaged
  std::uint32_t keep_versions = 0;          // of an environment, when another one is loaded; 0: all
  std::vector<std::string> node_variables;  // names that mean something on the node only
  bool allow_privileged = true;
  std::optional<std::vector<std::string>> allow_mounts;  // none: any directory
  std::vector<std::string> additional_mounts;            // allowed in any case, as they are written
};

// Those for what the options say, and no engine yet.
Containers settings_for_containers(const RunnerOptions& options);

// Asking a client program costs a process and what that does to find its daemon.
enum class EngineSearch { sockets, sockets_and_clients };

// The engine at $DOCKER_HOST, at the usual socket, or behind docker or podman on the PATH, if it answers. The error
// says why there is none: not_found where no engine is installed.
Result<Containers> open_containers(const RunnerOptions& options, const RunnerHome& home, EngineSearch search);

// Whether that engine answers still. One without a daemon always does.
Status ask_engine(const Containers& containers);

// The directory that tasks see as /shared, made where it is missing; all users may write to it.
Status prepare_shared_data(const Containers& containers);

// What an engine is asked for: limits, user, mounts by their names. What is not allowed is refused, and names the key.
Result<Container> plan_container(const Containers& containers, const StartRequest& request, const TaskSpec& spec);

// The request for the same command in a container, as it is planned. It sees
//   <shared_dir>             at the same path, so that relative paths, too, mean the same files as on the node
//   <shared_dir>/shared_data as /shared, unless shared_dir is /shared itself
//   <local_temp_dir>         as /local_temp
// and the mounts that the task asks for.
StartRequest wrap_in_container(const Containers& containers, StartRequest request, const TaskSpec& spec);

}  // namespace hakuriver::doors
