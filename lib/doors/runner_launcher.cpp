#include "doors/runner_launcher.hpp"

#include <unistd.h>

#include <utility>
#include <vector>

#include "doors/isolation.hpp"
#include "doors/runner_setup.hpp"
#include "doors/systemd_launcher.hpp"
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

// What systemd has of its own.
Launcher isolated(Launcher launcher, const RunnerOptions& options) {
  auto isolation = detect_isolation(options);
  launcher.private_network = isolation.private_network;
  launcher.private_pid = isolation.private_pid;
  if (!launcher.private_network && !launcher.private_pid) return launcher;
  launcher.wrap = [isolation = std::move(isolation)](const StartRequest& request, const TaskSpec& spec) {
    return wrap_in_namespaces(isolation, request, spec);
  };
  return launcher;
}

Result<Launcher> open_cgroup_launcher(const RunnerOptions& options, const RunnerHome& home) {
  auto parent = open_cgroups(options, home);
  if (!parent) return parent.error();
  Launcher launcher{.name = "cgroup"};
  launcher.limits_cores = parent->limits_cores;
  launcher.limits_memory = parent->limits_memory;
  launcher.cgroup = std::move(*parent);
  return isolated(std::move(launcher), options);
}

Result<Launcher> open_unit_launcher(const RunnerOptions& options, const RunnerHome& home) {
  auto systemd = open_systemd_launcher(options, home);
  if (!systemd) return systemd.error();
  Launcher launcher{.name = "systemd"};
  launcher.limits_cores = systemd->limits_cores;
  launcher.limits_memory = systemd->limits_memory;
  launcher.private_network = systemd->private_network;
  launcher.private_pid = systemd->private_pid;
  launcher.wrap = [systemd = std::move(*systemd)](const StartRequest& request, const TaskSpec& spec) {
    return wrap_in_unit(systemd, request, spec);
  };
  return launcher;
}

std::string limits_of(const Launcher& launcher) {
  if (launcher.limits_cores && launcher.limits_memory) return "cores and memory are limited";
  if (launcher.limits_cores) return "cores are limited, memory is not";
  if (launcher.limits_memory) return "memory is limited, cores are not";
  return "neither cores nor memory are limited";
}

Launcher open_plain_launcher(const RunnerOptions& options, LogSink& log, const std::string& reasons) {
  log.info("launcher plain: neither cores nor memory are limited" + reasons);
  return isolated(Launcher{.name = "plain"}, options);
}

// A better launcher than the last that limits nothing is no better.
Launcher choose_best(const RunnerOptions& options, const RunnerHome& home, LogSink& log) {
  std::string reasons;
  for (const auto open : {open_unit_launcher, open_cgroup_launcher}) {
    auto launcher = open(options, home);
    const bool is_good = launcher && (launcher->limits_cores || launcher->limits_memory);
    if (is_good) {
      log.info("launcher " + launcher->name + ": " + limits_of(*launcher) + reasons);
      return std::move(*launcher);
    }
    const std::string name = open == open_unit_launcher ? "systemd" : "cgroup";
    reasons += "; not " + name + ": " + (launcher ? limits_of(*launcher) : launcher.error().message);
  }
  return open_plain_launcher(options, log, reasons);
}

}  // namespace

Result<Launcher> choose_launcher(const RunnerOptions& options, const RunnerHome& home, LogSink& log) {
  if (options.launcher == "auto") return choose_best(options, home, log);
  if (options.launcher == "plain") return open_plain_launcher(options, log, "");
  if (options.launcher == "none") return Launcher{.name = options.launcher};
  auto launcher =
      options.launcher == "cgroup" ? open_cgroup_launcher(options, home) : open_unit_launcher(options, home);
  if (!launcher) {
    return Error{Errc::invalid_argument, "launcher '" + options.launcher + "': " + launcher.error().message};
  }
  log.info("launcher " + launcher->name + ": " + limits_of(*launcher));
  return launcher;
}

void describe_launcher(const Launcher& launcher, NodeFacts& facts) {
  facts.launcher = launcher.name;
  facts.private_network = launcher.private_network;
  facts.private_pid = launcher.private_pid;
  std::vector<std::string> enforced;
  if (launcher.limits_cores) enforced.emplace_back("cores");
  if (launcher.limits_memory) enforced.emplace_back("memory");
  facts.enforced.insert(facts.enforced.begin(), enforced.begin(), enforced.end());
}

}  // namespace hakuriver::doors
