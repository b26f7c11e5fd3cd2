// What a node has, what of it is taken, and how much of something still fits. The runner counts the same way.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>

#include "hakuriver/host/state.hpp"
#include "hakuriver/node.hpp"
#include "hakuriver/task.hpp"

namespace hakuriver {
inline namespace v1 {

inline const NumaNode* find_numa_node(const NodeFacts& facts, std::uint32_t id) noexcept {
  const auto found = std::find_if(facts.numa_nodes.begin(), facts.numa_nodes.end(),
                                  [id](const NumaNode& numa) { return numa.id == id; });
  return found == facts.numa_nodes.end() ? nullptr : &*found;
}

namespace detail {

// How many pieces of `size` go into what is left of `total` after `used`; a size of 0 goes in any number of times.
constexpr std::uint64_t pieces(std::uint64_t total, std::uint64_t used, std::uint64_t size) noexcept {
  if (size == 0) return std::numeric_limits<std::uint64_t>::max();
  return used >= total ? 0 : (total - used) / size;
}

constexpr std::uint64_t pieces(const Resources& total, const Resources& used, const Resources& size) noexcept {
  const std::uint64_t by_cores = pieces(total.millicores, used.millicores, size.millicores);
  return total.memory_bytes == 0 ? by_cores
                                 : std::min(by_cores, pieces(total.memory_bytes, used.memory_bytes, size.memory_bytes));
}

}  // namespace detail

// What a NUMA node offers: its logical CPUs and its memory (0 bytes: not known, so not bounded).
inline Resources resources_of(const NumaNode& numa) noexcept { return {numa.cpus.size() * 1000, numa.memory_bytes}; }

// How many tasks with these resources still fit, bound to `numa` where given.
inline std::uint64_t room_for(const NodeFacts& facts, const NodeUse& use,
                              const std::map<std::uint32_t, NodeUse>& numa_use, const Resources& resources,
                              std::optional<std::uint32_t> numa) {
  std::uint64_t room = use.tasks >= facts.max_tasks ? 0 : facts.max_tasks - use.tasks;
  room = std::min(room, detail::pieces({facts.millicores, facts.memory_bytes}, use.reserved, resources));
  if (!numa) return room;
  const NumaNode* node = find_numa_node(facts, *numa);
  if (node == nullptr) return 0;
  const auto used = numa_use.find(*numa);
  return std::min(room, detail::pieces(resources_of(*node),
                                       used == numa_use.end() ? Resources{0, 0} : used->second.reserved, resources));
}

inline void add_use(NodeUse& use, const Resources& resources) noexcept {
  use.reserved.millicores += resources.millicores;
  use.reserved.memory_bytes += resources.memory_bytes;
  ++use.tasks;
}

inline void drop_use(NodeUse& use, const Resources& resources) noexcept {
  use.reserved.millicores -= resources.millicores;
  use.reserved.memory_bytes -= resources.memory_bytes;
  --use.tasks;
}

// Empty if the node, with nothing on it, could run such a task, bound to `bound_to` where given; else why not.
inline std::string why_never(const NodeFacts& facts, const Requirements& wanted,
                             std::optional<std::uint32_t> bound_to) {
  if (wanted.container && !facts.containers) return "the node offers no containers";
  if (wanted.private_network && !facts.private_network) return "the node offers no private network";
  if (wanted.private_pid && !facts.private_pid) return "the node offers no private process ids";
  if (wanted.limits && !facts.limits) return "its runner is too old for a time limit or niceness";
  if (!wanted.user.empty() && !offers_user(facts, wanted.user)) {
    return "the node runs no tasks as user '" + wanted.user + "'";
  }
  std::string limit = "the node";
  Resources total{facts.millicores, facts.memory_bytes};
  if (bound_to) {
    const NumaNode* numa = find_numa_node(facts, *bound_to);
    if (numa == nullptr) {
      std::string known;
      for (const auto& each : facts.numa_nodes) known += (known.empty() ? "" : ", ") + std::to_string(each.id);
      return "no NUMA node " + std::to_string(*bound_to) + " there; it has " + (known.empty() ? "none" : known);
    }
    total = resources_of(*numa);
    limit = "its NUMA node " + std::to_string(numa->id);
  }
  const auto cores = [](std::uint64_t millicores) {
    std::string text = std::to_string(millicores / 1000);
    if (millicores % 1000 != 0) text += "." + std::to_string(millicores % 1000 + 1000).substr(1);
    return text;
  };
  if (wanted.resources.millicores > total.millicores) {
    return cores(wanted.resources.millicores) + " cores asked for, " + limit + " has " + cores(total.millicores);
  }
  if (total.memory_bytes != 0 && wanted.resources.memory_bytes > total.memory_bytes) {
    const std::uint64_t asked = wanted.resources.memory_bytes;
    const bool is_close = to_memory_text(asked) == to_memory_text(total.memory_bytes);
    const auto size = [is_close](std::uint64_t bytes) {
      return is_close ? std::to_string(bytes) + " bytes" : to_memory_text(bytes);
    };
    return size(asked) + " of memory asked for, " + limit + " has " + size(total.memory_bytes);
  }
  return {};
}

inline std::string why_never(const NodeState& node, const Requirements& wanted) {
  return why_never(node.facts, wanted, numa_node_on(wanted, node.name));
}

}  // namespace v1
}  // namespace hakuriver
