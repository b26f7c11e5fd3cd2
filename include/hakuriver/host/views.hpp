// The host's state as people see it: live facts of tasks, batches and nodes. What ended is in the store.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "hakuriver/host/placement.hpp"
#include "hakuriver/host/submission.hpp"
#include "hakuriver/views.hpp"

namespace hakuriver {
inline namespace v1 {

// What the host knows of one task without asking the store: of a final one, only that.
struct LiveFacts {
  TaskId id;
  BatchId batch;
  TaskStatus status = TaskStatus::pending;
  std::string node;
  Attempt attempt{1};
  bool kill_requested = false;
  UtcTime started_at;
  std::optional<std::uint32_t> numa_node;
  std::string message;  // why it waits or is lost
  std::string launcher;
  std::vector<std::string> enforced;
};

// Why a waiting task has not started, in a few words.
inline std::string why_waiting(const HostState& state, const Requirements& wanted, MonotonicTime now) {
  const std::string refused = detail::why_refused(state, wanted);
  if (!refused.empty()) return refused;
  if (state.superseded) return "the host's database is an old copy; nothing is ordered";
  std::string where = wanted.targets.empty() ? "every node" : "each of its targets";
  if (wanted.targets.size() == 1) where = "node '" + wanted.targets[0].node + "'";
  bool any_drained = false;
  bool any_registered = false;
  bool all_hold_back = true;
  for (const auto& node : state.nodes) {
    if (!may_be_on(wanted, node.name)) continue;
    if (!detail::counts_as_online(node)) continue;
    any_drained = any_drained || node.drained;
    any_registered = any_registered || (node.registered && !node.drained);
    all_hold_back = all_hold_back && (node.drained || !node.registered || now < node.held_until);
  }
  if (!any_registered) return any_drained ? where + " is drained" : "waits for " + where + " to connect";
  return where + (all_hold_back ? " holds back after a task that it could not start" : " is busy");
}

inline std::optional<LiveFacts> facts_of(const HostState& state, TaskId id, MonotonicTime now) {
  const Batch* batch = find_batch(state, id);
  if (batch == nullptr) return std::nullopt;
  LiveFacts facts;
  facts.id = id;
  facts.batch = batch->id;
  facts.status = status_of(*batch, id);
  if (is_final(facts.status)) return facts;
  const Requirements& wanted = state.shapes[shape_of(*batch, id)];
  const auto mark = state.marks.find(id);
  if (mark != state.marks.end()) facts.attempt = mark->second.attempt;
  const auto live = state.live.find(id);
  if (live == state.live.end()) {
    if (wanted.targets.size() == 1) facts.numa_node = wanted.targets[0].numa_node;
    facts.message = room_in(*batch) > 0
                        ? why_waiting(state, wanted, now)
                        : "its batch runs " + std::to_string(running_of(*batch)) + " at once, as it may";
    if (mark != state.marks.end() && !mark->second.reason.empty()) facts.message = mark->second.reason;
    return facts;
  }
  facts.attempt = live->second.attempt;
  facts.kill_requested = live->second.kill_requested;
  facts.started_at = live->second.started_at;
  if (live->second.node == kNoNode) {
    facts.message = "nobody knows where it runs";
    return facts;
  }
  const NodeState& node = state.nodes[live->second.node];
  facts.node = node.name;
  facts.numa_node = numa_node_on(wanted, node.name);
  facts.launcher = node.facts.launcher;
  facts.enforced = node.facts.enforced;
  if (facts.status == TaskStatus::lost) {
    const bool is_silent = node.presence == Presence::silent;
    facts.message = "node '" + node.name + (is_silent ? "' is silent" : "' has lost its record of it") +
                    "; the task may still run there";
  }
  if (facts.status == TaskStatus::pending) facts.message = "node '" + node.name + "' is busy; it is next there";
  return facts;
}

inline BatchView view_of(const Batch& batch) {
  BatchView view;
  view.id = batch.id;
  view.count = batch.count;
  std::copy(batch.by_status.begin(), batch.by_status.end(), view.by_status.begin());
  view.submitted_at = batch.submitted_at;
  view.finished_at = batch.finished_at;
  return view;
}

inline NodeView view_of(const HostState& state, const NodeState& node, Now now) {
  NodeView view;
  view.name = node.name;
  view.status = node.presence == Presence::online || node.presence == Presence::expected ? "online" : "offline";
  view.drained = node.drained;
  view.facts = node.facts;
  view.millicores_in_use = node.use.reserved.millicores;
  view.memory_in_use_bytes = node.use.reserved.memory_bytes;
  view.tasks = node.use.tasks;
  view.last_heartbeat = node.last_heard;
  view.health = node.health;
  if (now.monotonic < node.held_until) view.note = "holds back after a fault";
  if (node.holds_unlisted) view.note = "has lost its record of tasks; they hold their places until it reboots";
  if (state.superseded) view.note = "the host's database is an old copy";
  return view;
}

// Every node that was not forgotten, by name.
inline std::vector<NodeView> view_nodes(const HostState& state, Now now) {
  std::vector<NodeView> views;
  for (const auto& node : state.nodes) {
    if (node.presence != Presence::gone) views.push_back(view_of(state, node, now));
  }
  std::sort(views.begin(), views.end(), [](const NodeView& a, const NodeView& b) { return a.name < b.name; });
  return views;
}

inline ClusterHealth aggregate(const std::vector<NodeView>& nodes, UtcTime taken_at) {
  ClusterHealth cluster;
  cluster.taken_at = taken_at;
  double weighted = 0;
  std::uint64_t weight = 0;
  double temperatures = 0;
  std::uint32_t thermometers = 0;
  for (const auto& node : nodes) {
    ++cluster.nodes;
    cluster.millicores += node.facts.millicores;
    if (node.status != "online") continue;
    ++cluster.online_nodes;
    if (!node.health) continue;
    weighted += node.health->cpu_percent * static_cast<double>(node.facts.millicores);
    weight += node.facts.millicores;
    cluster.memory_total_bytes += node.health->memory_total_bytes;
    cluster.memory_used_bytes += node.health->memory_used_bytes;
    if (node.health->average_temperature) {
      temperatures += *node.health->average_temperature;
      ++thermometers;
    }
    if (node.health->max_temperature) {
      cluster.max_temperature = std::max(cluster.max_temperature.value_or(-273.15), *node.health->max_temperature);
    }
  }
  if (weight > 0) cluster.cpu_percent = weighted / static_cast<double>(weight);
  if (cluster.memory_total_bytes > 0) {
    cluster.memory_percent =
        100.0 * static_cast<double>(cluster.memory_used_bytes) / static_cast<double>(cluster.memory_total_bytes);
  }
  if (thermometers > 0) cluster.average_temperature = temperatures / thermometers;
  return cluster;
}

}  // namespace v1
}  // namespace hakuriver
