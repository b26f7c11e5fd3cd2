#include "wire/submission.hpp"

#include <algorithm>
#include <set>
#include <string_view>

#include "hakuriver/duration.hpp"
#include "hakuriver/environment.hpp"
#include "wire/json_text.hpp"
#include "wire/object_reader.hpp"
#include "wire/submission_limits.hpp"
#include "wire/task_sweep.hpp"

namespace hakuriver::wire {
namespace {

void read_targets(ObjectReader& in, InvalidInput& errors, SubmitRequest& request) {
  const std::size_t errors_before = errors.errors().size();
  const auto texts = in.texts("targets", kMaxTargets);
  if (errors.errors().size() != errors_before) return;  // what is no text is no target either
  std::size_t index = 0;
  for (const auto& text : texts) {
    auto target = parse_target(text);
    if (!target) errors.add(in.path_to("targets") + index, "must name a target: " + target.error().message);
    if (target) request.targets.push_back(*std::move(target));
    ++index;
  }
}

void read_container(ObjectReader& in, std::string_view name, SubmitRequest& request) {
  request.default_container = in.find(name) == nullptr;
  std::string container = in.text(name);
  if (container != kNodeItself) request.spec.container = std::move(container);
}

void read_mounts(ObjectReader& in, std::string_view name, SubmitRequest& request) {
  request.default_mounts = in.find(name) == nullptr;
  request.spec.mounts = in.texts(name, kMaxMounts);
}

void read_privileged(ObjectReader& in, SubmitRequest& request) {
  request.default_privileged = in.find("privileged") == nullptr;
  request.spec.privileged = in.flag("privileged");
}

// {"NAME": value}, or [["NAME", value], ...] where order counts or a name is not UTF-8.
void read_environment(ObjectReader& in, InvalidInput& errors, std::string_view name, TaskSpec& spec) {
  const Json* const value = in.find(name);
  const Path path = in.path_to(name);
  if (value == nullptr) return;
  if (value->is_object()) {
    for (const auto& [variable, text] : value->get_ref<const Json::object_t&>()) {
      spec.environment.emplace_back(variable, read_text(text, errors, path + variable));
    }
    return;
  }
  if (!value->is_array()) return errors.add(path, "must be an object, not " + describe(*value), "dict_type");
  for (const auto& pair : value->get_ref<const Json::array_t&>()) {
    const Path place = path + spec.environment.size();
    if (!pair.is_array() || pair.size() != 2) return errors.add(place, "must be a pair of a name and a value");
    std::string variable = read_text(pair[0], errors, place + std::size_t{0});
    spec.environment.emplace_back(std::move(variable), read_text(pair[1], errors, place + std::size_t{1}));
  }
}

// What a later upstream understood and we do not: silently running the task without it would be wrong.
void refuse_unless_default(ObjectReader& in, std::string_view name, const Json& standard) {
  const Json* const value = in.find(name);
  const bool empty = value == nullptr || *value == standard || (value->is_array() && value->empty());
  if (!empty) in.fail(name, "cannot be honoured: only its default is accepted, not " + describe(*value));
}

void read_memory(ObjectReader& in, TaskSpec& spec) {
  const Json* const value = in.find("memory");
  if (value == nullptr || !value->is_string()) {
    spec.resources.memory_bytes = in.whole("memory", 0, 0, kMaxMemoryBytes);
    return;
  }
  const auto bytes = parse_memory(value->get_ref<const std::string&>());
  if (!bytes) return in.fail("memory", "must be a size: " + bytes.error().message);
  spec.resources.memory_bytes = *bytes;
}

// A number of seconds, or a text such as "2h".
void read_time_limit(ObjectReader& in, TaskSpec& spec) {
  const Json* const value = in.find("time_limit");
  if (value == nullptr) return;
  const bool is_text = value->is_string();
  if (!is_text && !value->is_number()) {
    return in.fail("time_limit", "must be a number of seconds or a text such as \"2h\", not " + describe(*value));
  }
  const auto limit = is_text ? parse_duration(value->get_ref<const std::string&>()) : to_duration(value->get<double>());
  if (!limit) return in.fail("time_limit", "must be a length of time: " + limit.error().message);
  const bool is_some = is_text ? value->get_ref<const std::string&>().find_first_of("123456789") != std::string::npos
                               : value->get<double>() > 0;
  if (is_some && limit->count() == 0) return in.fail("time_limit", "must be at least a millisecond, or 0 for none");
  spec.time_limit = *limit;
}

void read_limits(ObjectReader& in, TaskSpec& spec) {
  read_time_limit(in, spec);
  spec.user = in.text("user");
  spec.niceness = static_cast<std::uint32_t>(in.whole("nice", 0, 0, kMaxNiceness));
}

// The words of one command, or those of a sweep.
void read_command(ObjectReader& in, InvalidInput& errors, TaskSpec& spec) {
  const Json* const sweep = in.find("sweep");
  if (sweep == nullptr) {
    if (in.require("argv") != nullptr) spec.argv = in.texts("argv", kMaxWords);
    return;
  }
  if (in.find("argv") != nullptr) in.fail("argv", "does not go with 'sweep', which has the words");
  spec.sweep = read_task_sweep(*sweep, errors, in.path_to("sweep"));
}

// Where each task may be on any of the targets, its node says which one it is on.
void refuse_one_node_twice(ObjectReader& in, InvalidInput& errors, const std::vector<Target>& targets) {
  std::set<std::string_view> nodes;
  std::size_t index = 0;
  for (const auto& target : targets) {
    if (nodes.insert(target.node).second) {
      ++index;
      continue;
    }
    return errors.add(in.path_to("targets") + index, "must be of another node than the other targets of a sweep: '" +
                                                         target.node + "' is there before");
  }
}

// A sweep says by itself how many tasks it has, and all of them are placed alike.
void check_sweep_count(ObjectReader& in, InvalidInput& errors, SubmitRequest& request) {
  const std::uint64_t tasks = request.spec.sweep->size();
  refuse_one_node_twice(in, errors, request.targets);
  if (tasks > kMaxBatchTasks) {
    in.fail("sweep", "must have at most " + std::to_string(kMaxBatchTasks) + " tasks, not " + std::to_string(tasks));
  } else if (in.whole("count", tasks, 1, kMaxBatchTasks) != tasks) {
    in.fail("count", "must be " + std::to_string(tasks) + ", the number of the sweep's tasks, or be left out");
  }
  request.count = tasks;
}

void read_count(ObjectReader& in, InvalidInput& errors, SubmitRequest& request) {
  if (request.spec.sweep) return check_sweep_count(in, errors, request);
  const std::uint64_t standard = std::max<std::uint64_t>(1, request.targets.size());
  request.count = in.whole("count", standard, 1, kMaxBatchTasks);
  if (request.targets.size() > 1 && request.count != request.targets.size()) {
    in.fail("count", "must be " + std::to_string(standard) + ", the number of targets, or be left out");
  }
}

// Calls `read` with a reader of the body; what is wrong with the body itself is an error of its own.
template <class Read>
Submission decode(std::string_view body, const Read& read) {
  InvalidInput errors;
  SubmitRequest request;
  const auto json = parse_json(body);
  if (!json) {
    errors.add({}, "must be a JSON object: " + json.error().message, "json_invalid");
    return errors;
  }
  ObjectReader in(*json, errors);
  read(in, errors, request);
  if (!errors.empty()) return errors;
  return request;
}

void append_failed_targets(std::string& out, const std::vector<FailedTarget>& failed) {
  append_array(out, failed, [](std::string& to, const FailedTarget& target) {
    ObjectWriter one(to, NotUtf8::replace);
    one.text("target", target.target);
    one.text("reason", target.reason);
    one.close();
  });
}

std::vector<FailedTarget> read_failed_targets(ObjectReader& in, InvalidInput& errors) {
  std::vector<FailedTarget> targets;
  const Json* const failed = in.find("failed_targets");
  for (std::size_t i = 0; failed != nullptr && failed->is_array() && i < failed->size(); ++i) {
    ObjectReader one((*failed)[i], errors, in.path_to("failed_targets") + i);
    std::string target = one.text("target");
    targets.push_back({std::move(target), one.text("reason")});
  }
  return targets;
}

void append_task_ids(std::string& out, const SubmitAnswer& answer) {
  out += '[';
  for (std::uint64_t i = 0; i < answer.count; ++i) {
    out += i == 0 ? "\"" : "\",\"";
    append_number(out, task_of(answer.batch, i).value);
  }
  out += answer.count == 0 ? "]" : "\"]";
}

void append_environment(std::string& out, const TaskSpec& spec) {
  append_array(out, spec.environment, [](std::string& to, const auto& variable) {
    to += '[';
    append_text(to, variable.first);
    to += ',';
    append_text(to, variable.second);
    to += ']';
  });
}

}  // namespace

Submission decode_submit(std::string_view body) {
  return decode(body, [](ObjectReader& in, InvalidInput& errors, SubmitRequest& request) {
    TaskSpec& spec = request.spec;
    if (in.require("command") != nullptr) spec.argv.push_back(in.text("command"));
    for (auto& word : in.texts("arguments", kMaxWords)) spec.argv.push_back(std::move(word));
    read_environment(in, errors, "env_vars", spec);
    spec.resources.millicores = in.millicores("required_cores", 1000);
    spec.resources.memory_bytes = in.whole("required_memory_bytes", 0, 0, kMaxMemoryBytes);
    spec.private_network = in.flag("use_private_network");
    spec.private_pid = in.flag("use_private_pid");
    read_targets(in, errors, request);
    read_container(in, "container_name", request);
    read_mounts(in, "additional_mounts", request);
    read_privileged(in, request);
    for (const std::string_view name : {"required_gpus", "registry_image", "network_name", "network_names"}) {
      refuse_unless_default(in, name, nullptr);
    }
    refuse_unless_default(in, "task_type", "command");
    request.count = std::max<std::uint64_t>(1, request.targets.size());
    if (errors.empty()) check_limits(request, kSeedFields, errors);
  });
}

Submission decode_batch(std::string_view body) {
  return decode(body, [](ObjectReader& in, InvalidInput& errors, SubmitRequest& request) {
    TaskSpec& spec = request.spec;
    read_command(in, errors, spec);
    read_environment(in, errors, "environment", spec);
    spec.resources.millicores = in.millicores("cores", 1000);
    read_memory(in, spec);
    read_targets(in, errors, request);
    read_count(in, errors, request);
    spec.max_running = in.whole("max_running", 0, 0, kMaxBatchTasks);
    spec.name = in.text("name");
    spec.working_directory = in.text("cwd");
    read_container(in, "container", request);
    read_mounts(in, "mounts", request);
    read_privileged(in, request);
    spec.private_network = in.flag("private_network");
    spec.private_pid = in.flag("private_pid");
    read_limits(in, spec);
    request.submission_id = in.text("submission_id");
    in.refuse_others();
    if (errors.empty()) check_limits(request, kOwnFields, errors);
  });
}

std::string encode_batch(const SubmitRequest& request) {
  const TaskSpec& spec = request.spec;
  const auto word = [](std::string& to, const std::string& text) { append_text(to, text); };
  std::string out;
  ObjectWriter object(out);
  if (spec.sweep) append_task_sweep(object.member("sweep"), *spec.sweep);
  if (!spec.sweep) append_array(object.member("argv"), spec.argv, word);
  if (!spec.environment.empty()) append_environment(object.member("environment"), spec);
  append_thousandths(object.member("cores"), spec.resources.millicores);
  if (spec.resources.memory_bytes != 0) object.number("memory", spec.resources.memory_bytes);
  if (!request.targets.empty()) {
    append_array(object.member("targets"), request.targets,
                 [](std::string& to, const Target& target) { append_text(to, to_string(target)); });
  }
  if (request.targets.size() < 2 && request.count != 1 && !spec.sweep) object.number("count", request.count);
  if (!spec.name.empty()) object.text("name", spec.name);
  if (!spec.working_directory.empty()) object.text("cwd", spec.working_directory);
  if (!request.default_container) object.text("container", spec.container.empty() ? kNodeItself : spec.container);
  if (!request.default_mounts) append_array(object.member("mounts"), spec.mounts, word);
  if (!request.default_privileged) object.flag("privileged", spec.privileged);
  if (spec.private_network) object.flag("private_network", true);
  if (spec.private_pid) object.flag("private_pid", true);
  if (spec.max_running != 0) object.number("max_running", spec.max_running);
  if (spec.time_limit.count() != 0) object.text("time_limit", to_duration_text(spec.time_limit));
  if (!spec.user.empty()) object.text("user", spec.user);
  if (spec.niceness != 0) object.number("nice", spec.niceness);
  if (!request.submission_id.empty()) object.text("submission_id", request.submission_id);
  object.close();
  return out;
}

std::uint64_t content_digest(const SubmitRequest& request) {
  SubmitRequest content = request;
  content.submission_id.clear();
  std::uint64_t digest = 14695981039346656037U;
  for (const char c : encode_batch(content)) digest = (digest ^ static_cast<unsigned char>(c)) * 1099511628211U;
  return digest;
}

std::string encode_submit_answer(const SubmitAnswer& answer) {
  constexpr std::uint64_t kMostListed = 1000;
  std::string out;
  ObjectWriter object(out);
  object.id("batch_id", answer.batch.value);
  object.id("first_task_id", task_of(answer.batch, 0).value);
  object.number("count", answer.count);
  if (answer.count <= kMostListed) append_task_ids(object.member("task_ids"), answer);
  append_failed_targets(object.member("failed_targets"), answer.failed_targets);
  object.close();
  return out;
}

std::string encode_seed_submit_answer(const SubmitAnswer& answer) {
  std::string out;
  ObjectWriter object(out);
  const bool all = answer.failed_targets.empty();
  object.text("message", all ? "Task(s) accepted." : "Task(s) accepted for some of the targets.");
  append_task_ids(object.member("task_ids"), answer);
  object.id("batch_id", answer.batch.value);
  object.number("count", answer.count);
  // Full success had no such list in that era, and clients ask whether it is there.
  if (!all) append_failed_targets(object.member("failed_targets"), answer.failed_targets);
  object.close();
  return out;
}

Result<SubmitAnswer> decode_submit_answer(std::string_view body) {
  const auto json = parse_json(body);
  if (!json) return json.error();
  InvalidInput errors;
  ObjectReader in(*json, errors);
  SubmitAnswer answer;
  answer.batch.value = in.id("batch_id");
  answer.count = in.whole("count", 0, 1, kMaxBatchTasks);
  answer.failed_targets = read_failed_targets(in, errors);
  if (!errors.empty()) return errors.error();
  return answer;
}

std::string encode_refused_submission(std::string_view detail, const std::vector<FailedTarget>& failed_targets) {
  std::string out;
  ObjectWriter object(out, NotUtf8::replace);
  object.text("detail", detail);
  append_failed_targets(object.member("failed_targets"), failed_targets);
  object.close();
  return out;
}

std::vector<FailedTarget> decode_refused_targets(std::string_view body) {
  const auto json = parse_json(body);
  if (!json) return {};
  InvalidInput errors;
  ObjectReader in(*json, errors);
  auto targets = read_failed_targets(in, errors);
  if (!errors.empty()) return {};
  return targets;
}

}  // namespace hakuriver::wire
