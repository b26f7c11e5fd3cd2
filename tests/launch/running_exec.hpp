// A real hakuriver-exec, run to its end.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "hakuriver/argv.hpp"

namespace hakuriver::test {

struct Ran {
  int wait_status = 0;
  std::string output;
  std::string errors;
  std::string report;  // what it wrote on descriptor 3
};

// `environment` is the whole of it.
Ran run_exec(const Argv& words, const std::vector<std::string>& environment = {"PATH=/usr/bin:/bin"});

// The exit code, or -1 for a signal.
int code_of(const Ran& ran);

}  // namespace hakuriver::test
