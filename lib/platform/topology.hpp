// What the machine offers: its logical CPUs, memory and NUMA nodes, as far as this process may use them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "hakuriver/node.hpp"
#include "hakuriver/result.hpp"

namespace hakuriver::platform {

struct DetectOptions {
  std::optional<std::uint64_t> millicores{};    // instead of what is found, from 1
  std::optional<std::uint64_t> memory_bytes{};  // instead of what is found
  std::optional<std::uint32_t> max_tasks{};     // instead of 16 for each core
  // An hwloc description such as "pack:2 [numa(memory=64GB)] core:8 pu:2" instead of the machine; empty: the machine,
  // or what HWLOC_SYNTHETIC or HWLOC_XMLFILE name. Nothing of this process's limits applies to such a machine, and
  // NUMA binding is not offered for it.
  std::string synthetic{};
  std::string root{};  // put in front of /proc and /sys where limits and sizes are read, for tests
};

// A core is a logical CPU: the lesser of the affinity mask and the cgroup's CPU quota, rounded down, at least 1.
// Memory is the lesser of the machine's and the cgroup's limit. Each NUMA node lists the CPUs of the mask only; nodes
// without CPUs are left out, and a machine that reports none is one node 0 with everything.
Result<NodeFacts> detect_node(const DetectOptions& options = {});

}  // namespace hakuriver::platform
