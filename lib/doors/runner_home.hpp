// A runner's own place on its machine: <state_dir>/runner-<name>, locked while the runner lives.
#pragma once

#include <string>

#include "hakuriver/result.hpp"
#include "platform/files.hpp"

namespace hakuriver::doors {

struct RunnerHome {
  std::string directory;  // 0700; the keeper's journal is here too
  std::string runner_id;  // 32 hex digits, made once
  platform::FileLock lock;
};

// Errc::invalid_argument where the directory is on a network file system, Errc::conflict where another runner of this
// name has it: the message tells which process that is.
Result<RunnerHome> open_runner_home(const std::string& state_dir, const std::string& name);

// Leaves a sign in the shared directory by which the host sees whether it is the same one: the file
// <shared_dir>/.hakuriver/<runner_id>, which holds the node's name.
Status write_marker(const std::string& shared_dir, const std::string& runner_id, const std::string& name);

}  // namespace hakuriver::doors
