// The program hakuriver-exec.
#pragma once

#include "hakuriver/argv.hpp"

namespace hakuriver::launch {

// Makes the world that the words ask for and executes their command in place. Comes back where that failed, with the
// status to exit with: 127 not found, 126 not executable, 125 the node's fault, 2 wrong words.
int run_exec_shim(const Argv& words);

}  // namespace hakuriver::launch
