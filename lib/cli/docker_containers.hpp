// The environments' containers on this machine, by way of its docker or podman program.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "hakuriver/argv.hpp"
#include "hakuriver/result.hpp"

namespace hakuriver::cli {

// The label by which a container is known to be ours; its value is the environment's name.
inline constexpr const char* kEnvironmentLabel = "hakuriver.environment";

struct EnvironmentContainer {
  std::string name{};      // the environment's
  std::string state{};     // running, exited, paused, created, ...
  std::string image{};     // the reference that it was created from
  std::string image_id{};  // of that
};

std::string container_of(const std::string& name);

class DockerProgram {
 public:
  // The first of docker and podman on the PATH that answers. Errc::unavailable says why none does.
  static Result<DockerProgram> find(const std::vector<std::string>& environment);

  // Our own: other containers of that name are as good as none, but Errc::conflict. Errc::not_found where there is
  // none.
  Result<EnvironmentContainer> inspect(const std::string& name) const;
  Result<std::vector<EnvironmentContainer>> list() const;

  // What it prints. `output_file`: where that goes instead, unless it is -1. Errc::not_found where what it is asked
  // about is not there, io for every other failure, in its own words.
  Result<std::string> ask(Argv words, int output_file = -1) const;
  // The command line for those words.
  Argv argv(Argv words) const;

 private:
  DockerProgram(std::string program, std::vector<std::string> environment)
      : program_(std::move(program)), environment_(std::move(environment)) {}

  std::string program_;
  std::vector<std::string> environment_;
};

// Pure. The words behind `docker` that create the container of an environment; `shared_data` is seen in it as /shared.
Argv build_environment_words(const std::string& name, const std::string& image, const std::string& shared_data);
// Those that make an image of it, whose entrypoint and command are again those of the image that it was created from:
// JSON lists, or null.
Argv build_commit_words(const std::string& name, const std::string& image, const std::string& entrypoint,
                        const std::string& command);
// Those that run a command in it, or a shell.
Argv build_shell_words(const std::string& name, const Argv& command, bool is_terminal, const std::string& terminal);
// What `inspect` printed, for containers that are ours.
std::vector<EnvironmentContainer> parse_inspected(const std::string& text);

}  // namespace hakuriver::cli
