// hakuriver.client: submits commands to a host and asks it about tasks and nodes.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "cli/streams.hpp"

namespace hakuriver::cli {

// `words` lack the program's name; `environment` is "NAME=value" each. Returns the exit status (cli/exit_status.hpp).
// Standard input is not read. While it waits, INT and TERM end the waiting.
int client_program(std::span<const std::string> words, const std::vector<std::string>& environment, Streams streams);

}  // namespace hakuriver::cli
