// The environments' containers on this machine, by way of its docker or podman program.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
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
  // docker, as the environment has it; podman where docker is not on the PATH, or has no daemon on this machine and was
  // told of no other one. Errc::unavailable says why neither is.
  static Result<DockerProgram> find(const std::vector<std::string>& environment);

  // Why it is podman although there is docker; else empty.
  const std::string& note() const noexcept { return note_; }

  // Our own: other containers of that name are as good as none, but Errc::conflict. Errc::not_found where there is
  // none.
  Result<EnvironmentContainer> inspect(const std::string& name) const;
  Result<std::vector<EnvironmentContainer>> list() const;

  // What it prints. Errc::not_found where what it is asked about is not there, io for every other failure, in its own
  // words. Ctrl-C ends it, but not where it `is_apart`.
  Result<std::string> ask(Argv words, bool is_apart = false) const;
  // What it prints goes to that file. It is killed when this thread ends.
  Status ask_into(Argv words, int output_file) const;
  // The command line for those words.
  Argv argv(Argv words) const;

 private:
  DockerProgram(std::string program, std::vector<std::string> environment, std::string note)
      : program_(std::move(program)), environment_(std::move(environment)), note_(std::move(note)) {}

  std::string program_;
  std::vector<std::string> environment_;
  std::string note_;
};

// Pure. Whether that is how docker says that there is no daemon at a socket of this machine, and not that we may not
// use it or that it does not answer.
bool is_daemon_absent(std::string_view error);

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
