#include "wire/people.hpp"

#include "hakuriver/environment.hpp"
#include "hakuriver/time.hpp"
#include "wire/json_text.hpp"

namespace hakuriver::wire {
namespace {

constexpr std::string_view kOutcomeNames[] = {"exited",        "signaled", "oom_killed",
                                              "never_started", "unknown",  "timed_out"};
static_assert(std::size(kOutcomeNames) == static_cast<std::size_t>(kLastOutcomeKind) + 1);

// Which routes an object is written for.
enum class Form : std::uint8_t { own, seed };

NotUtf8 policy_of(Form form) { return form == Form::own ? NotUtf8::base64 : NotUtf8::replace; }

void time_or_null(ObjectWriter& object, std::string_view name, UtcTime time) {
  if (time.microseconds == 0) return object.null(name);
  object.text(name, to_iso8601(time));
}

void decimal_or_null(ObjectWriter& object, std::string_view name, const std::optional<double>& value) {
  return value ? object.decimal(name, *value) : object.null(name);
}

void append_texts(std::string& out, std::span<const std::string> texts, NotUtf8 policy) {
  append_array(out, texts, [&](std::string& to, const std::string& text) { append_text(to, text, policy); });
}

void append_variables(std::string& out, const TaskSpec& spec, NotUtf8 policy) {
  out += '{';
  for (const auto& variable : spec.environment) {
    if (out.back() != '{') out += ',';
    append_text(out, variable.first, NotUtf8::replace);
    out += ':';
    append_text(out, variable.second, policy);
  }
  out += '}';
}

// An environment keeps the name it was asked for by; which of its packages that was is said beside it.
void write_container(ObjectWriter& object, const std::string& container) {
  const auto package = parse_package(container);
  object.text_or_null("container_name", package ? package->name : container);
  if (package) return object.number("container_version", package->version);
  object.null("container_version");
}

void write_spec(ObjectWriter& object, const TaskSpec& spec, NotUtf8 policy) {
  const std::span<const std::string> argv(spec.argv);
  object.text("command", argv.empty() ? std::string_view{} : std::string_view(argv[0]));
  append_texts(object.member("arguments"), argv.subspan(argv.empty() ? 0 : 1), policy);
  append_variables(object.member("env_vars"), spec, policy);
  append_thousandths(object.member("required_cores"), spec.resources.millicores);
  if (spec.resources.memory_bytes == 0) {
    object.null("required_memory_bytes");
  } else {
    object.number("required_memory_bytes", spec.resources.memory_bytes);
  }
  object.text("name", spec.name);
  object.text_or_null("working_directory", spec.working_directory);
  write_container(object, spec.container);
  object.flag("privileged", spec.privileged);
  append_texts(object.member("additional_mounts"), spec.mounts, policy);
  object.flag("use_private_network", spec.private_network);
  object.flag("use_private_pid", spec.private_pid);
  if (spec.time_limit.count() == 0) {
    object.null("time_limit");
  } else {
    object.decimal("time_limit", static_cast<double>(spec.time_limit.count()) / 1000);
  }
  object.text_or_null("user", spec.user);
  object.number("nice", spec.niceness);
}

void write_outcome(ObjectWriter& object, const TaskView& task) {
  if (task.exit_code) {
    object.number("exit_code", *task.exit_code);
  } else {
    object.null("exit_code");
  }
  object.flag("timed_out", task.outcome && task.outcome->kind == OutcomeKind::timed_out);
  if (!task.outcome) return object.null("outcome");
  ObjectWriter outcome(object.member("outcome"));
  outcome.text("kind", kOutcomeNames[static_cast<std::size_t>(task.outcome->kind)]);
  outcome.number("value", task.outcome->value);
  outcome.close();
}

void write_messages(ObjectWriter& object, const TaskView& task) {
  const bool waits = task.status == TaskStatus::pending;
  object.text_or_null("message", task.message);
  object.text_or_null("waiting_reason", waits ? std::string_view(task.message) : std::string_view{});
  object.text_or_null("error_message", waits ? std::string_view{} : std::string_view(task.message));
}

void write_usage(ObjectWriter& object, const TaskView& task) {
  object.number("stdout_bytes", task.stdout_bytes);
  object.number("stderr_bytes", task.stderr_bytes);
  object.decimal("cpu_seconds", static_cast<double>(task.usage.cpu_microseconds) / 1e6);
  object.number("cpu_microseconds", task.usage.cpu_microseconds);
  // A keeper that could not tell a short task's peak from its own says 0.
  const auto peak = task.usage.max_rss_bytes;
  if (peak == 0) return object.null("max_rss_bytes");
  object.number("max_rss_bytes", peak);
}

void number_or_null(ObjectWriter& object, std::string_view name, const std::optional<std::uint32_t>& value) {
  return value ? object.number(name, *value) : object.null(name);
}

void append_task(std::string& out, const TaskView& task, Form form) {
  const NotUtf8 policy = policy_of(form);
  ObjectWriter object(out, policy);
  object.id("task_id", task.id.value);
  object.id("batch_id", task.batch.value);
  write_spec(object, *task.spec, policy);
  object.text("status", to_string(task.status));
  object.text_or_null("target", task.target ? to_string(*task.target) : std::string{});
  object.text_or_null("assigned_node", task.node);
  number_or_null(object, "target_numa_node_id", task.target ? task.target->numa_node : std::nullopt);
  number_or_null(object, "assigned_numa_node_id", bound_numa_node(task));
  object.number("attempt", task.attempt.value);
  object.flag("kill_requested", task.kill_requested);
  write_outcome(object, task);
  write_messages(object, task);
  time_or_null(object, "submitted_at", task.submitted_at);
  time_or_null(object, "started_at", task.started_at);
  time_or_null(object, "completed_at", task.ended_at);
  object.text_or_null("stdout_path", task.stdout_path);
  object.text_or_null("stderr_path", task.stderr_path);
  write_usage(object, task);
  object.text_or_null("launcher", task.launcher);
  append_texts(object.member("enforced"), task.enforced, policy);
  if (form == Form::seed) {
    const bool unit = task.launcher == "systemd";
    object.text_or_null("systemd_unit_name", unit ? "hakuriver-task-" + to_string(task.id) : std::string{});
    object.number("assignment_suspicion_count", 0);
  }
  object.close();
}

void append_topology(std::string& out, const NodeFacts& facts) {
  out += '{';
  for (const auto& node : facts.numa_nodes) {
    if (out.back() != '{') out += ',';
    out += '"' + std::to_string(node.id) + "\":";
    ObjectWriter numa(out);
    append_array(numa.member("cores"), node.cpus, [](std::string& to, std::uint32_t cpu) { append_number(to, cpu); });
    if (node.memory_bytes == 0) {
      numa.null("memory_bytes");
    } else {
      numa.number("memory_bytes", node.memory_bytes);
    }
    numa.close();
  }
  out += '}';
}

// Dashboards of the seed era expect "N/A" and 0 from a node that is offline.
void write_cores(ObjectWriter& object, const NodeView& node, Form form) {
  const bool blind = form == Form::seed && node.status != "online";
  const std::uint64_t used = node.millicores_in_use;
  append_thousandths(object.member("total_cores"), node.facts.millicores);
  if (blind) {
    object.text("cores_in_use", "N/A");
  } else {
    append_thousandths(object.member("cores_in_use"), used);
  }
  const std::uint64_t free = node.facts.millicores > used ? node.facts.millicores - used : 0;
  append_thousandths(object.member("available_cores"), blind ? 0 : free);
}

void write_readings(ObjectWriter& object, const std::optional<NodeHealth>& health) {
  if (!health) {
    for (const std::string_view name : {"cpu_percent", "memory_percent", "memory_used_bytes", "memory_total_bytes",
                                        "current_avg_temp", "current_max_temp"}) {
      object.null(name);
    }
    return;
  }
  object.decimal("cpu_percent", health->cpu_percent);
  object.decimal("memory_percent", health->memory_percent);
  object.number("memory_used_bytes", health->memory_used_bytes);
  object.number("memory_total_bytes", health->memory_total_bytes);
  decimal_or_null(object, "current_avg_temp", health->average_temperature);
  decimal_or_null(object, "current_max_temp", health->max_temperature);
}

void append_node(std::string& out, const NodeView& node, Form form) {
  ObjectWriter object(out, policy_of(form));
  object.text("hostname", node.name);
  object.text("url", node.facts.url);
  object.text("status", node.status);
  object.flag("drained", node.drained);
  time_or_null(object, "last_heartbeat", node.last_heartbeat);
  write_cores(object, node, form);
  object.number("total_memory_bytes", node.facts.memory_bytes);
  object.number("memory_bytes_in_use", node.memory_in_use_bytes);
  object.number("tasks", node.tasks);
  object.number("max_tasks", node.facts.max_tasks);
  append_topology(object.member("numa_topology"), node.facts);
  object.text("launcher", node.facts.launcher);
  append_texts(object.member("enforced"), node.facts.enforced, policy_of(form));
  object.flag("containers", node.facts.containers);
  object.flag("private_network", node.facts.private_network);
  object.flag("private_pid", node.facts.private_pid);
  object.flag("limits", node.facts.limits);
  append_texts(object.member("users"), node.facts.users, policy_of(form));
  object.text_or_null("note", node.note);
  write_readings(object, node.health);
  object.close();
}

void append_nodes(std::string& out, const std::vector<NodeView>& nodes, Form form) {
  append_array(out, nodes, [form](std::string& to, const NodeView& node) { append_node(to, node, form); });
}

void append_aggregate(std::string& out, const ClusterHealth& cluster) {
  ObjectWriter object(out);
  object.number("totalNodes", cluster.nodes);
  object.number("onlineNodes", cluster.online_nodes);
  append_thousandths(object.member("totalCores"), cluster.millicores);
  object.number("totalMemBytes", cluster.memory_total_bytes);
  object.number("usedMemBytes", cluster.memory_used_bytes);
  object.decimal("avgCpuPercent", cluster.cpu_percent);
  object.decimal("avgMemPercent", cluster.memory_percent);
  decimal_or_null(object, "maxAvgCpuTemp", cluster.average_temperature);
  decimal_or_null(object, "maxMaxCpuTemp", cluster.max_temperature);
  time_or_null(object, "lastUpdated", cluster.taken_at);
  object.close();
}

}  // namespace

std::string encode(const TaskView& task) {
  std::string out;
  append_task(out, task, Form::own);
  return out;
}

std::string encode_seed(const TaskView& task) {
  std::string out;
  append_task(out, task, Form::seed);
  return out;
}

std::string encode(const TaskPage& page) {
  std::string out;
  ObjectWriter object(out);
  append_array(object.member("tasks"), page.tasks,
               [](std::string& to, const TaskView& task) { append_task(to, task, Form::own); });
  if (page.next) {
    object.id("next", page.next->value);
  } else {
    object.null("next");
  }
  object.close();
  return out;
}

std::string encode_seed(std::span<const TaskView> tasks) {
  std::string out;
  append_array(out, tasks, [](std::string& to, const TaskView& task) { append_task(to, task, Form::seed); });
  return out;
}

std::string encode(const BatchView& batch) {
  using enum TaskStatus;
  const auto counted = [&](TaskStatus status) { return batch.by_status[static_cast<std::size_t>(status)]; };
  std::string out;
  ObjectWriter object(out);
  object.id("batch_id", batch.id.value);
  object.text("name", batch.name);
  object.number("count", batch.count);
  ObjectWriter tasks(object.member("by_status"));
  for (std::size_t i = 0; i < kTaskStatusCount; ++i) tasks.number(kTaskStatusNames[i], batch.by_status[i]);
  tasks.close();
  object.number("failed_count", counted(failed) + counted(killed) + counted(killed_oom));
  object.flag("done", batch.is_done());
  time_or_null(object, "submitted_at", batch.submitted_at);
  time_or_null(object, "finished_at", batch.finished_at);
  object.close();
  return out;
}

std::string encode(const std::vector<NodeView>& nodes) {
  std::string out;
  ObjectWriter object(out);
  append_nodes(object.member("nodes"), nodes, Form::own);
  object.close();
  return out;
}

std::string encode_seed(const std::vector<NodeView>& nodes) {
  std::string out;
  append_nodes(out, nodes, Form::seed);
  return out;
}

std::string encode(const HealthSample& sample) {
  std::string out;
  ObjectWriter object(out);
  append_nodes(object.member("nodes"), sample.nodes, Form::own);
  append_aggregate(object.member("aggregate"), sample.cluster);
  object.close();
  return out;
}

std::string encode_seed(std::span<const HealthSample> samples) {
  std::string out;
  ObjectWriter object(out);
  append_array(object.member("nodes"), samples,
               [](std::string& to, const HealthSample& sample) { append_nodes(to, sample.nodes, Form::seed); });
  append_array(object.member("aggregate"), samples,
               [](std::string& to, const HealthSample& sample) { append_aggregate(to, sample.cluster); });
  object.close();
  return out;
}

std::string encode(const CommandAnswer& answer) {
  std::string out;
  ObjectWriter object(out);
  object.number("done", answer.done);
  object.number("asked", answer.asked);
  object.close();
  return out;
}

std::string encode_error(std::string_view detail) {
  std::string out;
  ObjectWriter object(out, NotUtf8::replace);
  object.text("detail", detail);
  object.close();
  return out;
}

}  // namespace hakuriver::wire
