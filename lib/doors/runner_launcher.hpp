// How a runner starts its tasks, decided when it starts.
#pragma once

#include <string>

#include "doors/runner_home.hpp"
#include "hakuriver/keeper.hpp"
#include "hakuriver/log.hpp"
#include "hakuriver/node.hpp"
#include "hakuriver/result.hpp"
#include "hakuriver/runner.hpp"
#include "service/runner_start.hpp"

namespace hakuriver::doors {

struct Launcher {
  std::string name;           // systemd, cgroup, plain or none
  CgroupParent cgroup{};      // of cgroup only
  service::WrapStart wrap{};  // none: the keeper executes commands itself
  bool limits_cores = false;
  bool limits_memory = false;
  bool private_network = false;
  bool private_pid = false;
};

// `options.launcher` where it works here, else an error that says why not. "auto" is systemd where that is the
// machine's first process and starts units for this user, else cgroup, else plain, and works always; the log says which
// and why.
Result<Launcher> choose_launcher(const RunnerOptions& options, const RunnerHome& home, LogSink& log);

// What the node's record says of it.
void describe_launcher(const Launcher& launcher, NodeFacts& facts);

}  // namespace hakuriver::doors
