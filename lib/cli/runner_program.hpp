// hakuriver.runner: the agent on one node, as a program.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "cli/streams.hpp"

namespace hakuriver::cli {

// `words` lack the program's name; `environment` is "NAME=value" each. Returns the exit status, after a signal.
int runner_program(std::span<const std::string> words, const std::vector<std::string>& environment, Streams streams);

}  // namespace hakuriver::cli
