#include "cli/client_pages.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string_view>

#include "cli/client_words.hpp"
#include "hakuriver/argv.hpp"
#include "hakuriver/duration.hpp"
#include "hakuriver/environment.hpp"

namespace hakuriver::cli {
namespace {

constexpr std::size_t kNameColumn = 13;
constexpr std::size_t kMostOfCommand = 1000;  // columns of a table that no terminal has

class Page {
 public:
  void line(std::string_view name, std::string_view value) {
    if (value.empty()) return;
    std::string head = std::string(name) + ":";
    head.resize(std::max(head.size() + 1, kNameColumn), ' ');
    text_ += indent_ + head + printable(value) + "\n";
  }
  void heading(std::string_view name) {
    if (!text_.empty()) text_ += '\n';
    text_ += printable(name) + "\n";
    indent_ = "  ";
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
  std::string indent_;
};

std::string joined(const std::vector<std::string>& words, std::string_view between) {
  std::string line;
  for (const auto& word : words) line += (line.empty() ? "" : std::string(between)) + word;
  return line;
}

std::string percent(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f%%", value);
  return text;
}

std::string degrees(const std::optional<double>& average, const std::optional<double>& most) {
  if (!most) return {};
  char text[64];
  std::snprintf(text, sizeof text, "%.0f C on average, %.0f C at most", average.value_or(*most), *most);
  return text;
}

std::string with_ago(UtcTime time, UtcTime now) {
  if (time.microseconds == 0) return {};
  const std::chrono::microseconds since{std::max<std::int64_t>(0, now.microseconds - time.microseconds)};
  return words_of(time) + " (" + short_duration(since) + " ago)";
}

// Of what was asked for: what the node enforces and what it does not.
std::string words_of_limits(const TaskView& task) {
  if (task.node.empty()) return {};
  std::vector<std::string> enforced;
  std::vector<std::string> missing;
  const auto sort_in = [&](bool is_asked, const char* feature, const char* name) {
    const bool is_there = std::find(task.enforced.begin(), task.enforced.end(), feature) != task.enforced.end();
    if (is_asked) (is_there ? enforced : missing).emplace_back(name);
  };
  sort_in(task.spec->resources.millicores != 0, "cores", "cores");
  sort_in(task.spec->resources.memory_bytes != 0, "memory", "memory");
  sort_in(task.target && task.target->numa_node, "numa", "NUMA node");
  std::string words;
  if (!enforced.empty()) words = "enforced: " + joined(enforced, ", ");
  if (!missing.empty()) words += (words.empty() ? "" : "; ") + ("not enforced by this node: " + joined(missing, ", "));
  return words;
}

void add_request(Page& page, const TaskView& task) {
  const TaskSpec& spec = *task.spec;
  std::vector<std::string> variables;
  for (const auto& [name, value] : spec.environment) variables.push_back(name + "=" + shell_quote(value));
  page.line("Command", shell_quote(spec.argv));
  page.line("Environment", joined(variables, " "));
  page.line("Directory", spec.working_directory);
  const auto package = parse_package(spec.container);
  page.line("Container",
            package ? package->name + " (version " + std::to_string(package->version) + ")" : spec.container);
  page.line("Mounts", joined(spec.mounts, " "));
  std::vector<std::string> traits;
  if (spec.privileged) traits.emplace_back("privileged");
  if (spec.private_network) traits.emplace_back("private network");
  if (spec.private_pid) traits.emplace_back("private processes");
  page.line("With", joined(traits, ", "));
  page.line("Cores", spec.resources.millicores == 0 ? "unmetered" : short_cores(spec.resources.millicores));
  page.line("Memory", spec.resources.memory_bytes == 0 ? "no limit" : short_bytes(spec.resources.memory_bytes));
  if (spec.time_limit.count() != 0) page.line("Time limit", to_duration_text(spec.time_limit));
  page.line("User", spec.user);
  if (spec.niceness != 0) page.line("Niceness", std::to_string(spec.niceness));
  page.line("Limits", words_of_limits(task));
}

void add_end(Page& page, const TaskView& task) {
  page.line("Exit", words_of_outcome(task));
  if (task.usage.cpu_microseconds != 0) {
    page.line("CPU time", short_duration(std::chrono::microseconds(task.usage.cpu_microseconds)));
  }
  if (task.usage.max_rss_bytes != 0) page.line("Peak memory", short_bytes(task.usage.max_rss_bytes));
  const auto output = [&](const std::string& path, std::uint64_t bytes) {
    return is_final(task.status) && !path.empty() ? path + " (" + std::to_string(bytes) + " bytes)" : path;
  };
  page.line("Stdout", output(task.stdout_path, task.stdout_bytes));
  page.line("Stderr", output(task.stderr_path, task.stderr_bytes));
}

std::string state_of(const NodeView& node) { return node.drained ? node.status + ", drained" : node.status; }

std::string cpu_list(const std::vector<std::uint32_t>& cpus) {
  std::string list;
  for (std::size_t i = 0; i < cpus.size();) {
    std::size_t last = i;
    while (last + 1 < cpus.size() && cpus[last + 1] == cpus[last] + 1) ++last;
    list += (list.empty() ? "" : ",") + std::to_string(cpus[i]);
    if (last > i) list += "-" + std::to_string(cpus[last]);
    i = last + 1;
  }
  return list;
}

void add_load(Page& page, const NodeView& node) {
  if (!node.health) return;
  const NodeHealth& health = *node.health;
  page.line("CPU", percent(health.cpu_percent) + " busy");
  page.line("Memory", percent(health.memory_percent) + " used: " + short_bytes(health.memory_used_bytes) + " of " +
                          short_bytes(health.memory_total_bytes));
  page.line("Temperature", degrees(health.average_temperature, health.max_temperature));
}

std::string words_of_users(const std::vector<std::string>& users) {
  const auto has = [&users](const char* name) { return std::find(users.begin(), users.end(), name) != users.end(); };
  if (!has("*")) return joined(users, ", ");
  return has("root") ? "any" : "any but root";
}

void add_node(Page& page, const NodeView& node, UtcTime now) {
  page.heading(node.name);
  page.line("State", state_of(node));
  page.line("Note", node.note);
  page.line("Heartbeat", with_ago(node.last_heartbeat, now));
  add_load(page, node);
  page.line("Reserved", short_cores(node.millicores_in_use) + " of " + short_cores(node.facts.millicores) + " cores, " +
                            short_bytes(node.memory_in_use_bytes) + " of " + short_bytes(node.facts.memory_bytes) +
                            " memory");
  page.line("Tasks", std::to_string(node.tasks) + " of at most " + std::to_string(node.facts.max_tasks));
  page.line("Launcher", node.facts.launcher);
  page.line("Enforces", node.facts.enforced.empty() ? "nothing" : joined(node.facts.enforced, ", "));
  page.line("Users", words_of_users(node.facts.users));
  for (const auto& numa : node.facts.numa_nodes) {
    page.line("NUMA node " + std::to_string(numa.id),
              std::to_string(numa.cpus.size()) + " cores (" + cpu_list(numa.cpus) + ")" +
                  (numa.memory_bytes == 0 ? "" : ", " + short_bytes(numa.memory_bytes) + " memory"));
  }
  page.line("URL", node.facts.url);
}

std::string state_cell(const TaskView& task) {
  std::string text(to_string(task.status));
  if (task.kill_requested && !is_final(task.status)) return text + ", killing";
  if (task.status == TaskStatus::failed && task.outcome) {
    if (task.outcome->kind == OutcomeKind::exited) text += " " + std::to_string(task.outcome->value);
    if (task.outcome->kind == OutcomeKind::timed_out) text += " time limit";
    if (task.outcome->kind == OutcomeKind::signaled) text += " sig" + std::to_string(task.outcome->value);
  }
  return text;
}

std::string place_of(const TaskView& task) {
  std::string place = task.node;
  if (place.empty() && task.target) place = task.target->node;
  if (!place.empty() && task.target && task.target->numa_node) place += ":" + std::to_string(*task.target->numa_node);
  return place.empty() ? "-" : place;
}

}  // namespace

std::string page_of(const TaskView& task) {
  const UtcTime now = utc_now();
  Page page;
  page.line("Task", to_string(task.id));
  page.line("Batch", to_string(task.batch));
  page.line("Name", task.spec->name);
  page.line("State", words_of(task));
  if (task.kill_requested && !is_final(task.status)) page.line("Kill", "requested");
  const auto numa = bound_numa_node(task);
  page.line("Node", numa ? task.node + ", bound to NUMA node " + std::to_string(*numa) : task.node);
  page.line("Target", task.target ? to_string(*task.target) : "any node");
  if (task.attempt.value > 1) page.line("Attempt", std::to_string(task.attempt.value));
  add_request(page, task);
  page.line("Submitted", with_ago(task.submitted_at, now));
  page.line("Started", with_ago(task.started_at, now));
  page.line("Ended", with_ago(task.ended_at, now));
  if (task.started_at.microseconds != 0) page.line("Runtime", short_duration(age_of(task, now)));
  add_end(page, task);
  return page.take();
}

std::string page_of(const BatchView& batch) {
  const UtcTime now = utc_now();
  Page page;
  page.line("Batch", to_string(batch.id));
  page.line("Name", batch.name);
  page.line("Tasks", std::to_string(batch.count));
  for (std::size_t i = 0; i < kTaskStatusCount; ++i) {
    if (batch.by_status[i] != 0) page.line("  " + std::string(kTaskStatusNames[i]), std::to_string(batch.by_status[i]));
  }
  page.line("Submitted", with_ago(batch.submitted_at, now));
  page.line("Finished", with_ago(batch.finished_at, now));
  return page.take();
}

std::string page_of(const ClusterHealth& cluster) {
  Page page;
  page.heading("cluster");
  page.line("Nodes", std::to_string(cluster.online_nodes) + " of " + std::to_string(cluster.nodes) + " online");
  page.line("Cores", short_cores(cluster.millicores));
  page.line("CPU", percent(cluster.cpu_percent) + " busy");
  page.line("Memory", percent(cluster.memory_percent) + " used: " + short_bytes(cluster.memory_used_bytes) + " of " +
                          short_bytes(cluster.memory_total_bytes));
  page.line("Temperature", degrees(cluster.average_temperature, cluster.max_temperature));
  return page.take() + "\n";
}

std::string pages_of(const std::vector<NodeView>& nodes) {
  const UtcTime now = utc_now();
  Page page;
  for (const auto& node : nodes) add_node(page, node, now);
  return page.take();
}

std::string table_of(const std::vector<TaskView>& tasks, const Look& look) {
  const UtcTime now = utc_now();
  const bool has_names =
      std::any_of(tasks.begin(), tasks.end(), [](const TaskView& t) { return !t.spec->name.empty(); });
  std::vector<Column> columns{{"ID"}, {"STATE"}, {"NODE", false, true}, {"TIME", true}};
  if (has_names) columns.push_back({"NAME", false, true});
  columns.push_back({"COMMAND", false, true});
  Table table(std::move(columns));
  for (const auto& task : tasks) {
    std::vector<Cell> row{{to_string(task.id)},
                          {state_cell(task), tone_of(task.status)},
                          {place_of(task)},
                          {short_duration(age_of(task, now))}};
    if (has_names) row.push_back({task.spec->name});
    row.push_back({shorten(printable(shell_quote(task.spec->argv)), kMostOfCommand)});
    table.add(std::move(row));
  }
  return table.render(look);
}

std::string table_of(const std::vector<NodeView>& nodes, const Look& look) {
  Table table({{"NODE", false, true},
               {"STATE"},
               {"CORES", true},
               {"MEMORY", true},
               {"TASKS", true},
               {"LAUNCHER"},
               {"NUMA NODES", false, true},
               {"ENFORCES", false, true}});
  for (const auto& node : nodes) {
    const Tone tone = node.status != "online" ? Tone::bad : node.drained ? Tone::faint : Tone::good;
    table.add({{node.name},
               {state_of(node), tone},
               {short_cores(node.millicores_in_use) + "/" + short_cores(node.facts.millicores)},
               {short_bytes(node.memory_in_use_bytes) + "/" + short_bytes(node.facts.memory_bytes)},
               {std::to_string(node.tasks)},
               {node.facts.launcher},
               {summary_of(node.facts.numa_nodes)},
               {node.facts.enforced.empty() ? "nothing" : joined(node.facts.enforced, ", ")}});
  }
  return table.render(look);
}

std::string summary_of(const std::vector<NumaNode>& nodes) {
  if (nodes.empty()) return "-";
  std::string list;
  for (const auto& node : nodes) {
    const std::size_t cores = node.cpus.size();
    list += (list.empty() ? "" : ", ") + std::to_string(node.id) + ": " + std::to_string(cores) +
            (cores == 1 ? " core" : " cores");
  }
  return std::to_string(nodes.size()) + " (" + list + ")";
}

}  // namespace hakuriver::cli
