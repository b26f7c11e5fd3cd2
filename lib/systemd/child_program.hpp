// Programs of systemd that are run to their end.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "hakuriver/argv.hpp"
#include "hakuriver/result.hpp"

namespace hakuriver::systemd {

// Starts a program, a path, on /dev/null and on this process's standard output and error, with all signals as they are
// by default. `environment` is the whole of it.
Result<pid_t> start_program(const Argv& argv, const std::vector<std::string>& environment);

// The status of waitpid(2).
int await_program(pid_t pid);

struct Printed {
  bool good = false;  // it exited with 0
  std::string text;   // 64 KiB at most
};

// Its standard error is nobody's.
Printed read_program(const Argv& argv, const std::vector<std::string>& environment);

}  // namespace hakuriver::systemd
