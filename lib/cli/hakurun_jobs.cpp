#include "cli/hakurun_jobs.hpp"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

#include "platform/cgroup_limits.hpp"

namespace hakuriver::cli {
namespace {

std::uint64_t count_affinity() {
  cpu_set_t mask;
  if (::sched_getaffinity(0, sizeof mask, &mask) == 0) return static_cast<std::uint64_t>(CPU_COUNT(&mask));
  // Machines with more CPUs than such a mask holds.
  return static_cast<std::uint64_t>(std::max(::sysconf(_SC_NPROCESSORS_ONLN), 1L));
}

}  // namespace

std::uint32_t count_usable_cpus() {
  std::uint64_t cpus = count_affinity();
  const auto limits = platform::read_cgroup_limits();
  if (limits.millicores) cpus = std::min(cpus, *limits.millicores / 1000);
  return static_cast<std::uint32_t>(std::max<std::uint64_t>(cpus, 1));
}

std::uint32_t choose_jobs(const HakurunOptions& options, std::uint64_t combinations) {
  const auto gpus = static_cast<std::uint32_t>(options.run.children.slot_environment.size());
  if (options.to_cluster && !options.jobs) return kMostAtOnce;
  if (options.jobs) return options.jobs->resolve(count_usable_cpus());
  if (!options.parallel) return std::max(gpus, 1u);
  rlimit processes{};
  std::uint64_t most = gpus > 0 ? gpus : kMostAtOnce;
  if (::getrlimit(RLIMIT_NPROC, &processes) == 0 && processes.rlim_cur != RLIM_INFINITY) {
    most = std::clamp<std::uint64_t>(processes.rlim_cur / 2, 1, most);
  }
  return static_cast<std::uint32_t>(std::max<std::uint64_t>(std::min(combinations, most), 1));
}

}  // namespace hakuriver::cli
