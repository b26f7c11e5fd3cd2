// A machine, as its runner describes it and the host knows it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hakuriver {
inline namespace v1 {

// One NUMA node of a machine. Nodes may share CPUs (high-bandwidth memory, CXL), so CPUs are never summed over nodes.
struct NumaNode {
  std::uint32_t id = 0;             // the system's number, as in /sys/devices/system/node/node<id>
  std::vector<std::uint32_t> cpus;  // logical CPU numbers, ascending, never empty
  std::uint64_t memory_bytes = 0;   // 0: not known
  bool operator==(const NumaNode&) const = default;
};

// What a node offers, told once at each registration. It holds what tasks may use, which is less than the machine
// has where an affinity mask, a cgroup or the configuration says so.
struct NodeFacts {
  std::uint64_t millicores = 0;       // thousandths of a logical CPU, at least 1
  std::uint64_t memory_bytes = 0;     // RAM; swap does not count
  std::vector<NumaNode> numa_nodes;   // ascending by id, at least one
  std::string launcher = "plain";     // how tasks are started: systemd, docker, cgroup or plain
  std::vector<std::string> enforced;  // what is really enforced, of "cores", "memory" and "numa"
  bool containers = false;            // tasks may ask for a container
  bool private_network = false;       // tasks may ask for a network of their own
  bool private_pid = false;           // tasks may ask for a process table of their own
  bool limits = false;                // tasks may have a time limit and a niceness: runners of old know neither
  std::vector<std::string> users;     // whom tasks may ask to run as; "*": anybody but root. At most kMaxOfferedUsers
  std::uint32_t max_tasks = 0;        // that run at once, however little they ask for
  std::string url;                    // announced to people, never dialled by the host; may be empty
  bool operator==(const NodeFacts&) const = default;
};

inline constexpr std::size_t kMaxOfferedUsers = 1000;

// Whether tasks may ask that node to run as this user, as far as the node's word goes: it may still not know the user.
inline bool offers_user(const NodeFacts& facts, std::string_view user) noexcept {
  const auto has = [&facts](std::string_view name) {
    return std::find(facts.users.begin(), facts.users.end(), name) != facts.users.end();
  };
  return has(user) || (user != "root" && has("*"));
}

// How a node is doing at one moment.
struct NodeHealth {
  double cpu_percent = 0;                     // of all its logical CPUs together since the reading before, 0 to 100
  std::uint64_t memory_used_bytes = 0;        // total less what new programs could have without swapping
  std::uint64_t memory_total_bytes = 0;       // of the machine; 0: not known
  double memory_percent = 0;                  // used of total, 0 to 100
  std::optional<double> average_temperature;  // degrees Celsius, over the CPU's sensors; none where there is none
  std::optional<double> max_temperature;      // of the hottest one
  bool operator==(const NodeHealth&) const = default;
};

}  // namespace v1
}  // namespace hakuriver
