// How a runner starts its tasks, decided when it starts.
#pragma once

#include <string>

#include "doors/runner_home.hpp"
#include "hakuriver/keeper.hpp"
#include "hakuriver/node.hpp"
#include "hakuriver/result.hpp"
#include "hakuriver/runner.hpp"

namespace hakuriver::doors {

struct Launcher {
  std::string name;     // cgroup, plain or none
  CgroupParent cgroup;  // of cgroup only
};

// `options.launcher` where it works here, else an error that says why not.
Result<Launcher> choose_launcher(const RunnerOptions& options, const RunnerHome& home);

// What the node's record says of it.
void describe_launcher(const Launcher& launcher, NodeFacts& facts);

}  // namespace hakuriver::doors
