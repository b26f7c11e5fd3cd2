#include <algorithm>

#include "hakuriver/duration.hpp"
#include "hakuriver/environment.hpp"
#include "wire/json_text.hpp"
#include "wire/object_reader.hpp"
#include "wire/people.hpp"
#include "wire/utc_text.hpp"

namespace hakuriver::wire {
namespace {

constexpr std::string_view kOutcomeNames[] = {"exited",        "signaled", "oom_killed",
                                              "never_started", "unknown",  "timed_out"};
static_assert(std::size(kOutcomeNames) == static_cast<std::size_t>(kLastOutcomeKind) + 1);
constexpr std::uint64_t kMost64 = ~std::uint64_t{0};
constexpr std::uint64_t kMost32 = ~std::uint32_t{0};
// Pages of tasks may be long: each task is about forty values.
constexpr JsonBounds kReplyBounds{.bytes = std::size_t{64} << 20, .values = std::size_t{4} << 20};

UtcTime read_time(ObjectReader& in, std::string_view name) {
  const std::string text = in.text(name);
  if (text.empty()) return {};
  const auto time = parse_iso8601(text);
  if (!time) in.fail(name, "must be a time: " + time.error().message);
  return time ? *time : UtcTime{};
}

template <class Read>
void read_items(ObjectReader& in, InvalidInput& errors, std::string_view name, const Read& read) {
  const Json* const items = in.require(name);
  if (items == nullptr) return;
  if (!items->is_array()) return in.fail(name, "must be an array, not " + describe(*items), "list_type");
  for (std::size_t i = 0; i < items->size(); ++i) {
    ObjectReader item((*items)[i], errors, in.path_to(name) + i);
    read(item);
  }
}

void read_variables(ObjectReader& in, InvalidInput& errors, TaskSpec& spec) {
  const Json* const variables = in.find("env_vars");
  if (variables == nullptr) return;
  if (!variables->is_object()) return in.fail("env_vars", "must be an object, not " + describe(*variables));
  for (const auto& [name, value] : variables->get_ref<const Json::object_t&>()) {
    spec.environment.emplace_back(name, read_text(value, errors, in.path_to("env_vars") + name));
  }
}

TaskSpec read_spec(ObjectReader& in, InvalidInput& errors) {
  constexpr std::size_t kMostItems = std::size_t{1} << 20;
  TaskSpec spec;
  spec.argv.push_back(in.text("command"));
  for (auto& word : in.texts("arguments", kMostItems)) spec.argv.push_back(std::move(word));
  read_variables(in, errors, spec);
  spec.resources.millicores = in.millicores("required_cores", 0);
  spec.resources.memory_bytes = in.whole("required_memory_bytes", 0, 0, kMost64);
  spec.name = in.text("name");
  spec.working_directory = in.text("working_directory");
  spec.container = in.text("container_name");
  if (const auto version = in.whole("container_version", 0, 0, kMaxPackageVersion); version != 0) {
    spec.container = to_string(PackageKey{spec.container, version});
  }
  spec.privileged = in.flag("privileged");
  spec.mounts = in.texts("additional_mounts", kMostItems);
  spec.private_network = in.flag("use_private_network");
  spec.private_pid = in.flag("use_private_pid");
  const auto limit = to_duration(in.decimal("time_limit"));
  if (!limit) in.fail("time_limit", "must be a length of time: " + limit.error().message);
  if (limit) spec.time_limit = *limit;
  spec.user = in.text("user");
  spec.niceness = static_cast<std::uint32_t>(in.whole("nice", 0, 0, kMaxNiceness));
  return spec;
}

void read_status(ObjectReader& in, TaskView& task) {
  const std::string text = in.text("status");
  const auto status = parse_task_status(text);
  if (!status) in.fail("status", "must be a task's status, not '" + text + "'");
  task.status = status.value_or(TaskStatus::pending);
}

void read_target(ObjectReader& in, TaskView& task) {
  const std::string text = in.text("target");
  if (text.empty()) return;
  auto target = parse_target(text);
  if (!target) return in.fail("target", "must be a target: " + target.error().message);
  task.target = *std::move(target);
}

void read_outcome(ObjectReader& in, InvalidInput& errors, TaskView& task) {
  if (in.find("exit_code") != nullptr) task.exit_code = static_cast<int>(in.integer("exit_code"));
  const Json* const value = in.find("outcome");
  if (value == nullptr) return;
  ObjectReader outcome(*value, errors, in.path_to("outcome"));
  const std::string kind = outcome.text("kind");
  const auto* const found = std::find(std::begin(kOutcomeNames), std::end(kOutcomeNames), kind);
  if (found == std::end(kOutcomeNames)) return outcome.fail("kind", "must be a kind of outcome, not '" + kind + "'");
  task.outcome =
      Outcome{static_cast<OutcomeKind>(found - kOutcomeNames), static_cast<std::int32_t>(outcome.integer("value"))};
}

TaskView read_task(ObjectReader& in, InvalidInput& errors) {
  TaskView task;
  task.id.value = in.id("task_id");
  task.batch.value = in.id("batch_id");
  task.spec = std::make_shared<const TaskSpec>(read_spec(in, errors));
  read_status(in, task);
  read_target(in, task);
  task.node = in.text("assigned_node");
  task.attempt.value = static_cast<std::uint32_t>(in.whole("attempt", 0, 0, kMost32));
  task.kill_requested = in.flag("kill_requested");
  read_outcome(in, errors, task);
  task.message = in.text("message");
  task.submitted_at = read_time(in, "submitted_at");
  task.started_at = read_time(in, "started_at");
  task.ended_at = read_time(in, "completed_at");
  task.stdout_path = in.text("stdout_path");
  task.stderr_path = in.text("stderr_path");
  task.stdout_bytes = in.whole("stdout_bytes", 0, 0, kMost64);
  task.stderr_bytes = in.whole("stderr_bytes", 0, 0, kMost64);
  task.usage.cpu_microseconds = in.whole("cpu_microseconds", 0, 0, kMost64);
  task.usage.max_rss_bytes = in.whole("max_rss_bytes", 0, 0, kMost64);
  task.launcher = in.text("launcher");
  task.enforced = in.texts("enforced", 16);
  return task;
}

void read_topology(ObjectReader& in, InvalidInput& errors, NodeFacts& facts) {
  const Json* const nodes = in.find("numa_topology");
  if (nodes == nullptr) return;
  if (!nodes->is_object()) return in.fail("numa_topology", "must be an object, not " + describe(*nodes));
  for (const auto& [id, value] : nodes->get_ref<const Json::object_t&>()) {
    const auto number = parse_target("node:" + id);
    ObjectReader numa(value, errors, in.path_to("numa_topology") + id);
    if (!number) return in.fail("numa_topology", "must have numbers as names, not '" + id + "'");
    NumaNode node{*number->numa_node, {}, numa.whole("memory_bytes", 0, 0, kMost64)};
    const Json* const cores = numa.find("cores");
    for (std::size_t i = 0; cores != nullptr && cores->is_array() && i < cores->size(); ++i) {
      const Json& cpu = (*cores)[i];
      const bool fits = cpu.is_number_unsigned() && cpu.get<std::uint64_t>() <= kMost32;
      if (!fits) return numa.fail("cores", "must be CPU numbers, not " + describe(cpu));
      node.cpus.push_back(cpu.get<std::uint32_t>());
    }
    facts.numa_nodes.push_back(std::move(node));
  }
  // Names of a JSON object come in the order of text.
  std::sort(facts.numa_nodes.begin(), facts.numa_nodes.end(),
            [](const NumaNode& a, const NumaNode& b) { return a.id < b.id; });
}

std::optional<double> read_reading(ObjectReader& in, std::string_view name) {
  return in.find(name) == nullptr ? std::nullopt : std::optional<double>(in.decimal(name));
}

NodeView read_node(ObjectReader& in, InvalidInput& errors) {
  NodeView node;
  node.name = in.text("hostname");
  node.facts.url = in.text("url");
  node.status = in.text("status");
  node.drained = in.flag("drained");
  node.last_heartbeat = read_time(in, "last_heartbeat");
  // A node may have more cores than one task may ask for: not by millicores().
  node.facts.millicores = static_cast<std::uint64_t>(std::clamp(in.decimal("total_cores"), 0.0, 1e12) * 1000 + 0.5);
  node.millicores_in_use = static_cast<std::uint64_t>(std::clamp(in.decimal("cores_in_use"), 0.0, 1e12) * 1000 + 0.5);
  node.facts.memory_bytes = in.whole("total_memory_bytes", 0, 0, kMost64);
  node.memory_in_use_bytes = in.whole("memory_bytes_in_use", 0, 0, kMost64);
  node.tasks = static_cast<std::uint32_t>(in.whole("tasks", 0, 0, kMost32));
  node.facts.max_tasks = static_cast<std::uint32_t>(in.whole("max_tasks", 0, 0, kMost32));
  read_topology(in, errors, node.facts);
  node.facts.launcher = in.text("launcher");
  node.facts.enforced = in.texts("enforced", 16);
  node.facts.containers = in.flag("containers");
  node.facts.private_network = in.flag("private_network");
  node.facts.private_pid = in.flag("private_pid");
  node.facts.limits = in.flag("limits");
  node.facts.users = in.texts("users", kMaxOfferedUsers);
  node.note = in.text("note");
  if (in.find("cpu_percent") != nullptr) {
    node.health = NodeHealth{in.decimal("cpu_percent"),
                             in.whole("memory_used_bytes", 0, 0, kMost64),
                             in.whole("memory_total_bytes", 0, 0, kMost64),
                             in.decimal("memory_percent"),
                             read_reading(in, "current_avg_temp"),
                             read_reading(in, "current_max_temp")};
  }
  return node;
}

ClusterHealth read_aggregate(ObjectReader& in) {
  ClusterHealth cluster;
  cluster.nodes = static_cast<std::uint32_t>(in.whole("totalNodes", 0, 0, kMost32));
  cluster.online_nodes = static_cast<std::uint32_t>(in.whole("onlineNodes", 0, 0, kMost32));
  cluster.millicores = static_cast<std::uint64_t>(std::clamp(in.decimal("totalCores"), 0.0, 1e12) * 1000 + 0.5);
  cluster.memory_total_bytes = in.whole("totalMemBytes", 0, 0, kMost64);
  cluster.memory_used_bytes = in.whole("usedMemBytes", 0, 0, kMost64);
  cluster.cpu_percent = in.decimal("avgCpuPercent");
  cluster.memory_percent = in.decimal("avgMemPercent");
  cluster.average_temperature = read_reading(in, "maxAvgCpuTemp");
  cluster.max_temperature = read_reading(in, "maxMaxCpuTemp");
  cluster.taken_at = read_time(in, "lastUpdated");
  return cluster;
}

// Reads a body of one object by `read(reader, errors)`.
template <class Value, class Read>
Result<Value> decode(std::string_view body, const Read& read) {
  const auto json = parse_json(body, kReplyBounds);
  if (!json) return json.error();
  InvalidInput errors;
  ObjectReader in(*json, errors);
  Value value = read(in, errors);
  if (!errors.empty()) return errors.error();
  return value;
}

}  // namespace

Result<TaskView> decode_task(std::string_view body) {
  return decode<TaskView>(body, [](ObjectReader& in, InvalidInput& errors) { return read_task(in, errors); });
}

Result<TaskPage> decode_task_page(std::string_view body) {
  return decode<TaskPage>(body, [](ObjectReader& in, InvalidInput& errors) {
    TaskPage page;
    read_items(in, errors, "tasks", [&](ObjectReader& item) { page.tasks.push_back(read_task(item, errors)); });
    if (in.find("next") != nullptr) page.next = TaskId{in.id("next")};
    return page;
  });
}

Result<BatchView> decode_batch_view(std::string_view body) {
  return decode<BatchView>(body, [](ObjectReader& in, InvalidInput& errors) {
    const Json nothing = Json::object();
    BatchView batch;
    batch.id.value = in.id("batch_id");
    batch.name = in.text("name");
    batch.count = in.whole("count", 0, 0, kMaxBatchTasks);
    const Json* const counts = in.require("by_status");
    ObjectReader tasks(counts != nullptr ? *counts : nothing, errors, in.path_to("by_status"));
    for (std::size_t i = 0; i < kTaskStatusCount; ++i) {
      batch.by_status[i] = tasks.whole(kTaskStatusNames[i], 0, 0, kMaxBatchTasks);
    }
    batch.submitted_at = read_time(in, "submitted_at");
    batch.finished_at = read_time(in, "finished_at");
    return batch;
  });
}

Result<std::vector<NodeView>> decode_nodes(std::string_view body) {
  return decode<std::vector<NodeView>>(body, [](ObjectReader& in, InvalidInput& errors) {
    std::vector<NodeView> nodes;
    read_items(in, errors, "nodes", [&](ObjectReader& item) { nodes.push_back(read_node(item, errors)); });
    return nodes;
  });
}

Result<HealthSample> decode_health(std::string_view body) {
  return decode<HealthSample>(body, [](ObjectReader& in, InvalidInput& errors) {
    HealthSample sample;
    read_items(in, errors, "nodes", [&](ObjectReader& item) { sample.nodes.push_back(read_node(item, errors)); });
    if (const Json* const aggregate = in.require("aggregate")) {
      ObjectReader cluster(*aggregate, errors, in.path_to("aggregate"));
      sample.cluster = read_aggregate(cluster);
    }
    return sample;
  });
}

Result<CommandAnswer> decode_command_answer(std::string_view body) {
  return decode<CommandAnswer>(body, [](ObjectReader& in, InvalidInput& /*errors*/) {
    return CommandAnswer{in.whole("done", 0, 0, kMost64), in.whole("asked", 0, 0, kMost64)};
  });
}

std::string decode_error(std::string_view body) {
  constexpr std::size_t kMost = 400;
  const auto json = parse_json(body);
  const auto detail = json && json->is_object() ? json->find("detail") : Json::const_iterator{};
  if (!json || !json->is_object() || detail == json->end()) {
    std::string line(body.substr(0, std::min(kMost, body.find_first_of("\r\n"))));
    return is_utf8(line) ? line : std::string("an answer that is not text");
  }
  if (detail->is_string()) return detail->get_ref<const std::string&>();
  if (!detail->is_array() || detail->empty() || !detail->front().is_object()) return describe(*detail);
  InvalidInput ignored;
  ObjectReader first(detail->front(), ignored);
  std::string place;
  const Json* const loc = first.find("loc");
  for (std::size_t i = 1; loc != nullptr && loc->is_array() && i < loc->size(); ++i) {
    const Json& step = (*loc)[i];
    if (step.is_string()) place += (place.empty() ? "" : ".") + step.get_ref<const std::string&>();
    if (!step.is_string()) place += "[" + describe(step) + "]";
  }
  return (place.empty() ? "" : "'" + place + "' ") + first.text("msg");
}

std::string pretty(std::string_view json) {
  const auto parsed = parse_json(json, kReplyBounds);
  return parsed ? parsed->dump(2, ' ', false, Json::error_handler_t::replace) : std::string(json);
}

}  // namespace hakuriver::wire
