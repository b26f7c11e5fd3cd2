// Whom the tasks of a runner may run as.
#pragma once

#include <string>
#include <vector>

#include "hakuriver/result.hpp"
#include "hakuriver/runner.hpp"
#include "service/runner_start.hpp"

namespace hakuriver::doors {

struct TaskUsers {
  std::string standard;              // for tasks that do not say; empty: the runner's own user
  std::vector<std::string> offered;  // as NodeFacts has them
  service::FindIdentity find;
};

// Only root can run tasks as others, and a task that runs as another has no way back. Without a list of its own
// (allowed_users) a root runner of this machine's host offers everybody: its users are root there anyway.
Status check_task_users(const RunnerOptions& options, bool is_local_host);
TaskUsers open_task_users(const RunnerOptions& options, bool is_local_host);

// This process's user, with all groups that it has.
TaskUser own_task_user();

// Whether tasks may run as root.
bool has_root_tasks(const TaskUsers& users);

}  // namespace hakuriver::doors
