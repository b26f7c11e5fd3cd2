// What runs containers on this machine: a daemon that is asked over its socket, or a program such as docker or podman.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "hakuriver/argv.hpp"
#include "hakuriver/docker_run.hpp"
#include "hakuriver/result.hpp"

namespace hakuriver::container {

// The label by which a container is known to be ours; its value tells whose.
inline constexpr const char* kOwnerLabel = "hakuriver.owner";

// What a client program is given of this process's environment: where it finds its settings, and the programs that keep
// its logins.
inline constexpr const char* kClientVariables[] = {"PATH", "HOME", "XDG_RUNTIME_DIR", "DOCKER_CONFIG",
                                                   "REGISTRY_AUTH_FILE"};

struct Image {
  std::string id{};
  Argv entrypoint{};
  std::vector<std::string> environment{};  // "NAME=value"
};

struct ContainerState {
  std::string status{};  // created, running, paused, exited, dead, ...
  std::string owner{};   // of the label; empty: not ours
  bool is_oom_killed = false;
  std::int64_t exit_code = 0;
  std::string error{};  // why it could not be started
  bool is_alive() const noexcept { return status == "running" || status == "paused" || status == "restarting"; }
  // Nothing of it was ever started.
  bool is_new() const noexcept { return status == "created" || status == "configured" || status == "initialized"; }
};

// Each function tells in its error: not_found where there is no such image or container, conflict where its state
// forbids this, invalid_argument where the engine refuses what was asked for, io where it tried and failed; unavailable
// where no answer came, and what was asked for may still happen. One thread uses an engine at a time.
class Engine {
 public:
  virtual ~Engine() = default;

  // Good where the engine works at all.
  virtual Status ping() = 0;
  virtual Result<Image> image(const std::string& reference) = 0;
  // Takes what is in the file, which is such as `docker save` writes, and says by what references it is known.
  virtual Result<std::vector<std::string>> load(const std::string& path) = 0;
  // Gets an image from its registry; Errc::denied where that does not give it to everybody.
  virtual Status pull(const std::string& reference) = 0;
  // The image is known by that reference, too.
  virtual Status tag(const std::string& image, const std::string& reference) = 0;
  // Those of this repository's images, such as "hakuriver/my-env:7", perhaps with a registry in front.
  virtual Result<std::vector<std::string>> references(const std::string& repository) = 0;
  // The image is known by that reference no more, and goes with its last one. Errc::conflict where a container uses it.
  virtual Status remove_image(const std::string& reference) = 0;
  // The names in container.variables are ignored in favour of `environment`, which holds "NAME=value" each.
  virtual Status create(const Container& container, const Argv& command,
                        const std::vector<std::string>& environment) = 0;
  virtual Status start(const std::string& name) = 0;
  virtual Result<ContainerState> state(const std::string& name) = 0;
  // Returns when the container is alive no more.
  virtual Status wait(const std::string& name) = 0;
  virtual Status pause(const std::string& name) = 0;
  virtual Status resume(const std::string& name) = 0;
  virtual Status kill(const std::string& name) = 0;
  // Runs a command inside, as its root, to its end.
  virtual Status execute(const std::string& name, const Argv& command) = 0;
  // Whether it runs or not. Removing what is not there is not_found.
  virtual Status remove(const std::string& name) = 0;
};

// The engine behind a Unix socket.
Result<std::unique_ptr<Engine>> open_api_engine(const std::string& socket);

// The engine behind a client program. `scratch` is an existing directory for small files that only we may read.
std::unique_ptr<Engine> open_command_engine(DockerClient client, std::string scratch);

}  // namespace hakuriver::container
