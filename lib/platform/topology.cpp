#include "platform/topology.hpp"

#include <hwloc.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <set>
#include <vector>

#include "platform/cgroup_limits.hpp"
#include "platform/files.hpp"
#include "platform/health.hpp"
#include "platform/system_error.hpp"

namespace hakuriver::platform {
namespace {

struct DestroyTopology {
  void operator()(hwloc_topology* topology) const noexcept { hwloc_topology_destroy(topology); }
};
using Topology = std::unique_ptr<hwloc_topology, DestroyTopology>;
using CpuSet = std::set<std::uint32_t>;

Result<Topology> load_topology(const std::string& synthetic) {
  hwloc_topology_t raw = nullptr;
  if (hwloc_topology_init(&raw) != 0) return system_error("hwloc_topology_init", errno);
  Topology topology(raw);
  if (!synthetic.empty() && hwloc_topology_set_synthetic(raw, synthetic.c_str()) != 0) {
    return Error{Errc::parse,
                 "'" + synthetic + "' is not a synthetic topology: expected one such as 'numa:2 core:4 pu:1'"};
  }
  // Caches are of no use here. Packages and groups are: a NUMA node's CPUs are those of the object it hangs on.
  hwloc_topology_set_cache_types_filter(raw, HWLOC_TYPE_FILTER_KEEP_NONE);
  if (hwloc_topology_load(raw) != 0) return system_error("hwloc cannot read the machine's topology", errno);
  return topology;
}

std::vector<std::uint32_t> members_of(hwloc_const_bitmap_t bitmap) {
  std::vector<std::uint32_t> members;
  // An infinite bitmap (no topology known) would never end.
  if (bitmap == nullptr || hwloc_bitmap_weight(bitmap) < 0) return members;
  for (int i = hwloc_bitmap_first(bitmap); i >= 0; i = hwloc_bitmap_next(bitmap, i)) {
    members.push_back(static_cast<std::uint32_t>(i));
  }
  return members;
}

// The mask of the main thread, whichever thread asks. The kernel refuses sets smaller than its own: ask again larger.
Result<CpuSet> read_affinity() {
  constexpr std::size_t kMaxCpus = std::size_t{1} << 20;
  for (std::size_t count = 1024; count <= kMaxCpus; count *= 4) {
    const std::unique_ptr<cpu_set_t, void (*)(cpu_set_t*)> mask(CPU_ALLOC(count),
                                                                [](cpu_set_t* set) { CPU_FREE(set); });
    const std::size_t size = CPU_ALLOC_SIZE(count);
    if (::sched_getaffinity(::getpid(), size, mask.get()) != 0) {
      if (errno == EINVAL) continue;
      return system_error("sched_getaffinity", errno);
    }
    CpuSet cpus;
    for (std::size_t cpu = 0; cpu < count; ++cpu) {
      if (CPU_ISSET_S(cpu, size, mask.get())) cpus.insert(static_cast<std::uint32_t>(cpu));
    }
    return cpus;
  }
  return Error{Errc::limit, "more than 1048576 logical CPUs"};
}

Result<CpuSet> usable_cpus(hwloc_topology_t topology) {
  if (hwloc_topology_is_thissystem(topology) != 0) return read_affinity();
  const auto all = members_of(hwloc_topology_get_allowed_cpuset(topology));
  return CpuSet(all.begin(), all.end());
}

std::vector<NumaNode> numa_nodes_of(hwloc_topology_t topology, const CpuSet& usable) {
  std::vector<NumaNode> nodes;
  hwloc_obj_t object = nullptr;
  while ((object = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_NUMANODE, object)) != nullptr) {
    NumaNode node{object->os_index, {}, object->attr->numanode.local_memory};
    for (const std::uint32_t cpu : members_of(object->cpuset)) {
      if (usable.count(cpu) != 0) node.cpus.push_back(cpu);
    }
    if (!node.cpus.empty()) nodes.push_back(std::move(node));
  }
  std::sort(nodes.begin(), nodes.end(), [](const NumaNode& a, const NumaNode& b) { return a.id < b.id; });
  return nodes;
}

// All nodes of a synthetic machine count, also those without CPUs: tasks may use their memory.
std::uint64_t memory_of_nodes(hwloc_topology_t topology) {
  std::uint64_t bytes = 0;
  hwloc_obj_t object = nullptr;
  while ((object = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_NUMANODE, object)) != nullptr) {
    bytes += object->attr->numanode.local_memory;
  }
  return bytes;
}

// Containers' system call filters often forbid the NUMA calls altogether; asking for the policy changes nothing.
bool can_bind_to_numa(hwloc_topology_t topology) {
  if (hwloc_topology_is_thissystem(topology) == 0) return false;
  return ::syscall(SYS_get_mempolicy, nullptr, nullptr, 0UL, nullptr, 0UL) == 0;
}

Result<std::uint64_t> machine_memory(const std::string& root) {
  const auto text = read_file(root + "/proc/meminfo", std::size_t{1} << 20);
  if (!text) return text.error();
  const auto memory = parse_memory(*text);
  if (!memory) return memory.error();
  return memory->total_bytes;
}

struct Size {
  std::uint64_t millicores = 0;
  std::uint64_t memory_bytes = 0;
};

Result<Size> measure(hwloc_topology_t topology, std::size_t cpus, const std::string& root) {
  Size size{std::max<std::size_t>(cpus, 1) * 1000, 0};
  if (hwloc_topology_is_thissystem(topology) == 0) {
    size.memory_bytes = memory_of_nodes(topology);
    return size;
  }
  const auto memory = machine_memory(root);
  if (!memory) return memory.error();
  const CgroupLimits limits = read_cgroup_limits(root);
  size.memory_bytes = std::min(*memory, limits.memory_bytes.value_or(*memory));
  size.millicores = std::min(size.millicores, limits.millicores.value_or(size.millicores));
  size.millicores = std::max<std::uint64_t>(size.millicores / 1000, 1) * 1000;
  return size;
}

std::uint32_t default_max_tasks(std::uint64_t millicores) {
  const std::uint64_t cores = std::max<std::uint64_t>((millicores + 999) / 1000, 1);
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(cores * 16, 1'000'000));
}

}  // namespace

Result<NodeFacts> detect_node(const DetectOptions& options) {
  const auto topology = load_topology(options.synthetic);
  if (!topology) return topology.error();
  const auto cpus = usable_cpus(topology->get());
  if (!cpus) return cpus.error();
  const auto size = measure(topology->get(), cpus->size(), options.root);
  if (!size) return size.error();

  NodeFacts facts;
  facts.millicores = options.millicores.value_or(size->millicores);
  facts.memory_bytes = options.memory_bytes.value_or(size->memory_bytes);
  facts.max_tasks = options.max_tasks.value_or(default_max_tasks(facts.millicores));
  facts.numa_nodes = numa_nodes_of(topology->get(), *cpus);
  if (facts.numa_nodes.empty()) {
    facts.numa_nodes.push_back({0, {cpus->begin(), cpus->end()}, facts.memory_bytes});
  }
  if (can_bind_to_numa(topology->get())) facts.enforced.emplace_back("numa");
  return facts;
}

}  // namespace hakuriver::platform
