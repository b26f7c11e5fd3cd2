// Why a command did not start, in the words of its user and in a shell's exit codes.
#pragma once

#include <string>

#include "hakuriver/outcome.hpp"

namespace hakuriver::engine {

struct StartFailure {
  Outcome outcome;      // exited 127 (not found) or 126 (not executable); never_started where it is the machine's fault
  std::string message;  // one line, begins with the program quoted
};

// `path` is what execve refused with `error_number`.
StartFailure describe_execute_failure(const std::string& path, int error_number);

// A name without a slash that is in no directory of PATH.
StartFailure describe_not_found(const std::string& name);

// Any other step: "cannot enter '/x': No such file or directory".
StartFailure describe_machine_failure(const std::string& step, int error_number);

// Whether waiting for a process of ours to end may help.
bool is_shortage(int error_number) noexcept;

}  // namespace hakuriver::engine
