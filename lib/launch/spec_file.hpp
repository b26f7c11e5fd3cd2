// What a launcher hands to hakuriver-exec besides its command line, where others could read that: a file of mode 0600
// that the reader removes. Its text is the directory, the resource limits and the variables of the environment, each
// ended by a NUL byte.
#pragma once

#include <sys/resource.h>

#include <string>
#include <utility>
#include <vector>

#include "hakuriver/result.hpp"

namespace hakuriver::launch {

struct TaskSpecFile {
  std::string directory{};                       // empty: the reader's own
  std::vector<std::pair<int, rlimit>> limits{};  // setrlimit(2), by resource
  std::vector<std::string> environment{};        // "NAME=value", the whole of it
};

// The limits of this process.
std::vector<std::pair<int, rlimit>> own_limits();

// Creates the file; conflict where there is one.
Status write_spec_file(const std::string& path, const TaskSpecFile& spec);

// Reads and removes it. Two MiB at most.
Result<TaskSpecFile> read_spec_file(const std::string& path);

}  // namespace hakuriver::launch
