// hakuriver.docker: environments on this machine, and their packages in the shared directory.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "cli/streams.hpp"

namespace hakuriver::cli {

// `words` lack the program's name; `environment` is "NAME=value" each. Returns the exit status. A shell takes the place
// of this process.
int docker_program(std::span<const std::string> words, const std::vector<std::string>& environment, Streams streams);

// The same with the word "shell" in front, for hakuriver.docker-shell.
int docker_shell_program(std::span<const std::string> words, const std::vector<std::string>& environment,
                         Streams streams);

}  // namespace hakuriver::cli
