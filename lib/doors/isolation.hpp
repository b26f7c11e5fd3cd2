// Private networks and process tables without systemd: hakuriver-exec in front of the command, by a runner that is
// root.
#pragma once

#include <string>

#include "hakuriver/keeper.hpp"
#include "hakuriver/runner.hpp"
#include "hakuriver/task.hpp"

namespace hakuriver::doors {

struct Isolation {
  std::string exec;  // hakuriver-exec
  bool private_network = false;
  bool private_pid = false;
};

// Root would have to run a program in an environment that the task has made.
inline constexpr const char* kOtherUserNeedsUnits =
    "a private network or process table for another user needs a runner with the launcher systemd";

// Tries both. Nothing works where this process is not root, or where tasks run as somebody else by default.
Isolation detect_isolation(const RunnerOptions& options);

// The request for the same command in namespaces of its own, where the task asks for them.
StartRequest wrap_in_namespaces(const Isolation& isolation, StartRequest request, const TaskSpec& spec);

}  // namespace hakuriver::doors
