#include "wire/task_spec.hpp"

#include "wire/json_text.hpp"
#include "wire/members.hpp"
#include "wire/task_sweep.hpp"

namespace hakuriver::wire {
namespace {

void read_texts(Scanner& in, std::vector<std::string>& out) {
  for (in.enter_array(); in.next_item();) out.push_back(in.text());
}

// Name, value, name, value: an array keeps the order and takes names of any bytes.
void read_environment(Scanner& in, TaskSpec& spec) {
  for (in.enter_array(); in.next_item();) {
    std::string name = in.text();
    if (!in.next_item()) return in.fail("a value for each name");
    spec.environment.emplace_back(std::move(name), in.text());
  }
}

void write_environment(std::string& out, const TaskSpec& spec) {
  append_array(out, spec.environment, [](std::string& to, const auto& variable) {
    append_text(to, variable.first);
    to += ',';
    append_text(to, variable.second);
  });
}

void read_sweep(Scanner& in, TaskSpec& spec) {
  const auto text = in.raw();
  if (in.failed()) return;
  auto sweep = decode_task_sweep(text);
  if (!sweep) return in.fail("a sweep (" + sweep.error().message + ")");
  spec.sweep.emplace(std::move(*sweep));
}

void read_time_limit(Scanner& in, TaskSpec& spec) {
  const std::uint64_t count = in.u64();
  if (count > static_cast<std::uint64_t>(kMaxTimeLimit.count())) return in.fail("a shorter time limit");
  spec.time_limit = std::chrono::milliseconds{count};
}

void read_niceness(Scanner& in, TaskSpec& spec) {
  spec.niceness = in.u32();
  if (spec.niceness > kMaxNiceness) in.fail("a niceness from 0 to 19");
}

constexpr Member<TaskSpec> kMembers[] = {
    {"argv", [](Scanner& in, TaskSpec& spec) { read_texts(in, spec.argv); }, false},
    {"sweep", read_sweep, false},
    {"environment", read_environment, false},
    {"millicores", [](Scanner& in, TaskSpec& spec) { spec.resources.millicores = in.u64(); }},
    {"memory_bytes", [](Scanner& in, TaskSpec& spec) { spec.resources.memory_bytes = in.u64(); }, false},
    {"name", [](Scanner& in, TaskSpec& spec) { spec.name = in.text(); }, false},
    {"working_directory", [](Scanner& in, TaskSpec& spec) { spec.working_directory = in.text(); }, false},
    {"container", [](Scanner& in, TaskSpec& spec) { spec.container = in.text(); }, false},
    {"mounts", [](Scanner& in, TaskSpec& spec) { read_texts(in, spec.mounts); }, false},
    {"privileged", [](Scanner& in, TaskSpec& spec) { spec.privileged = in.flag(); }, false},
    {"private_network", [](Scanner& in, TaskSpec& spec) { spec.private_network = in.flag(); }, false},
    {"private_pid", [](Scanner& in, TaskSpec& spec) { spec.private_pid = in.flag(); }, false},
    {"max_running", [](Scanner& in, TaskSpec& spec) { spec.max_running = in.u64(); }, false},
    {"time_limit_ms", read_time_limit, false},
    {"user", [](Scanner& in, TaskSpec& spec) { spec.user = in.text(); }, false},
    {"niceness", read_niceness, false},
};

}  // namespace

void append_task_spec(std::string& out, const TaskSpec& spec) {
  const auto word = [](std::string& to, const std::string& text) { append_text(to, text); };
  ObjectWriter object(out);
  if (!spec.sweep) append_array(object.member("argv"), spec.argv, word);
  if (spec.sweep) append_task_sweep(object.member("sweep"), *spec.sweep);
  if (!spec.environment.empty()) write_environment(object.member("environment"), spec);
  object.number("millicores", spec.resources.millicores);
  if (spec.resources.memory_bytes != 0) object.number("memory_bytes", spec.resources.memory_bytes);
  if (!spec.name.empty()) object.text("name", spec.name);
  if (!spec.working_directory.empty()) object.text("working_directory", spec.working_directory);
  if (!spec.container.empty()) object.text("container", spec.container);
  if (!spec.mounts.empty()) append_array(object.member("mounts"), spec.mounts, word);
  if (spec.privileged) object.flag("privileged", true);
  if (spec.private_network) object.flag("private_network", true);
  if (spec.private_pid) object.flag("private_pid", true);
  if (spec.max_running != 0) object.number("max_running", spec.max_running);
  if (spec.time_limit.count() != 0) object.number("time_limit_ms", spec.time_limit.count());
  if (!spec.user.empty()) object.text("user", spec.user);
  if (spec.niceness != 0) object.number("niceness", spec.niceness);
  object.close();
}

std::string encode_task_spec(const TaskSpec& spec) {
  std::string text;
  append_task_spec(text, spec);
  return text;
}

void read_task_spec(Scanner& in, TaskSpec& spec) {
  read_members<TaskSpec>(in, spec, kMembers);
  if (spec.argv.empty() != spec.sweep.has_value()) in.fail("at least one word in 'argv', or a 'sweep' and no 'argv'");
}

Result<TaskSpec> decode_task_spec(std::string_view text) {
  Scanner in(text, "task specification");
  TaskSpec spec;
  read_task_spec(in, spec);
  if (const auto status = in.status(); !status) return status.error();
  return spec;
}

}  // namespace hakuriver::wire
