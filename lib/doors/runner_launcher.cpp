#include "doors/runner_launcher.hpp"

#include <unistd.h>

#include <utility>
#include <vector>

#include "doors/runner_setup.hpp"
#include "keeper/cgroup_probe.hpp"
#include "platform/cgroup_limits.hpp"
#include "platform/cgroup_subtree.hpp"

namespace hakuriver::doors {
namespace {

// Version 1 where its freezer is mounted, because then the other controllers are its own as well; else version 2.
Result<CgroupParent> find_parent(const std::string& name) {
  const auto own = platform::read_cgroup_directories();
  const auto below = [&name](const std::vector<std::string>& directories) {
    return directories.empty() ? std::string() : directories.front() + "/" + name;
  };
  CgroupParent parent;
  if (!own.freezer.empty()) {
    parent.freezer = below(own.freezer);
    parent.cpu = below(own.cpu);
    parent.cpuacct = below(own.cpuacct);
    parent.memory = below(own.memory);
    return parent;
  }
  if (own.unified.empty()) return Error{Errc::not_found, "no cgroup hierarchy is mounted here"};
  auto base = platform::open_unified_subtree(own.unified.front());
  if (!base) return base.error();
  parent.unified = *base + "/" + name;
  return parent;
}

Result<CgroupParent> open_cgroups(const RunnerOptions& options, const RunnerHome& home) {
  auto program = find_keeper(options);
  if (!program) return program.error();
  auto parent = find_parent("hakuriver-" + home.runner_id);
  if (!parent) return parent;
  auto probed = keeper::probe_cgroups(std::move(*parent), *program);
  if (probed && !probed->limits_cores && !probed->limits_memory) {
    return Error{Errc::not_found, "neither the controller cpu nor memory can be used"};
  }
  return probed;
}

}  // namespace

Result<Launcher> choose_launcher(const RunnerOptions& options, const RunnerHome& home) {
  if (options.launcher != "cgroup") return Launcher{options.launcher, {}};
  auto parent = open_cgroups(options, home);
  if (parent) return Launcher{options.launcher, std::move(*parent)};
  return Error{Errc::invalid_argument, "launcher 'cgroup': " + parent.error().message};
}

void describe_launcher(const Launcher& launcher, NodeFacts& facts) {
  facts.launcher = launcher.name;
  std::vector<std::string> enforced;
  if (launcher.cgroup.limits_cores) enforced.emplace_back("cores");
  if (launcher.cgroup.limits_memory) enforced.emplace_back("memory");
  facts.enforced.insert(facts.enforced.begin(), enforced.begin(), enforced.end());
}

}  // namespace hakuriver::doors
