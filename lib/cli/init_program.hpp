// hakuriver.init: the files that a cluster begins with, the configuration and the token.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "cli/streams.hpp"

namespace hakuriver::cli {

// `words` lack the program's name; `environment` is "NAME=value" each. Returns the exit status. What is there already
// is never touched.
int init_program(std::span<const std::string> words, const std::vector<std::string>& environment, Streams streams);

}  // namespace hakuriver::cli
