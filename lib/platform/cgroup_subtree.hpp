// Where below its own cgroup a process may make others.
#pragma once

#include <string>

#include "hakuriver/result.hpp"

namespace hakuriver::platform {

// In version 2 a cgroup that gives controllers to those below it holds no processes itself, except at the root of the
// hierarchy: cgroups(7), "no internal processes". So this process moves one level down, into `<own>/hakuriver-runner`,
// where it was the only one in its cgroup; else conflict. Gives the directory below which cgroups can be made, with
// as many of the controllers cpu and memory as there are.
Result<std::string> open_unified_subtree(const std::string& own_directory);

}  // namespace hakuriver::platform
