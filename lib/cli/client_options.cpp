#include "cli/client_options.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include "cli/client_table.hpp"
#include "cli/options.hpp"
#include "cli/submission_checks.hpp"
#include "hakuriver/duration.hpp"
#include "hakuriver/environment.hpp"
#include "hakuriver/resources.hpp"

namespace hakuriver::cli {
namespace {

constexpr std::uint64_t kMaxListed = 1000;
constexpr std::uint64_t kMaxTailLines = 100'000'000;
constexpr double kMaxPollSeconds = 86'400;

Error usage(std::string message) { return {Errc::invalid_argument, std::move(message)}; }

Error in_option(std::string_view name, const Error& error) {
  return {error.code, "--" + std::string(name) + ": " + error.message};
}

Result<std::uint64_t> parse_count(std::string_view name, std::string_view text, std::uint64_t least,
                                  std::uint64_t most) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number < least || number > most) {
    return usage("--" + std::string(name) + ": '" + std::string(text.substr(0, 64)) + "': expected a number from " +
                 std::to_string(least) + " to " + std::to_string(most));
  }
  return number;
}

// The one thing that the command line asks for, as its option; none: a submission.
Result<const ClientOption*> find_action(const CommandLine& line) {
  const ClientOption* action = nullptr;
  for (const auto& given : line.options) {
    const ClientOption* option = find_client_option(given.name);
    if (!option->action) continue;
    if (action != nullptr && action != option) {
      return usage("--" + std::string(action->option.name) + " and --" + std::string(given.name) +
                   " do not go together: ask for one thing at a time");
    }
    action = option;
  }
  return action;
}

Status check_combination(const CommandLine& line, const ClientOption* action) {
  const ClientUse use = action == nullptr ? ClientUse::submit : action->use;
  for (const auto& given : line.options) {
    const ClientOption* option = find_client_option(given.name);
    if (option == action || option->action || (option->goes_with & mask_of(use)) != 0) continue;
    const std::string name = "--" + std::string(given.name);
    if (action == nullptr) return usage(name + " does not go with a command to submit");
    const bool wants_wait_for = given.name == "wait" && use != ClientUse::submit;
    return usage(name + " does not go with --" + std::string(action->option.name) +
                 (wants_wait_for ? "; --wait-for ID waits for a task that is already there" : ""));
  }
  if (action != nullptr && !line.rest.empty()) {
    return usage("--" + std::string(action->option.name) + " does not go with a command ('" +
                 line.rest.front().substr(0, 80) + "')");
  }
  if (action == nullptr && line.rest.empty()) {
    return usage(line.is_separated ? "a command is missing after '--'"
                                   : "a command is missing: hakuriver.client [OPTION]... -- COMMAND [ARGUMENT]...");
  }
  return Unit{};
}

Status read_subject(ClientOptions& options, const CommandLine& line, const ClientOption& action) {
  for (const auto& given : line.options) {
    if (given.name != action.option.name || !given.has_value) continue;
    if (action.use == ClientUse::nodes) {
      if (!is_node_name(given.value)) {
        return usage("--" + std::string(given.name) + ": '" + given.value.substr(0, 80) + "' is not a node's name");
      }
      options.node = given.value;
      continue;
    }
    const auto id = parse_id(given.value);
    if (!id) return in_option(given.name, id.error());
    options.ids.push_back(*id);
  }
  const bool takes_one =
      action.use == ClientUse::status || action.use == ClientUse::output || action.use == ClientUse::batch;
  if (takes_one && options.ids.size() > 1) return usage("--" + std::string(action.option.name) + " takes one id");
  return Unit{};
}

Status read_filter(TaskFilter& filter, const CommandLine& line) {
  if (const auto* state = line.find("state")) {
    if (!parse_task_status(state->value)) {
      std::string known;
      for (const auto name : kTaskStatusNames) known += (known.empty() ? "" : ", ") + std::string(name);
      return usage("--state: '" + state->value.substr(0, 64) + "': expected one of " + known);
    }
    filter.state = state->value;
  }
  if (const auto* node = line.find("node")) filter.node = node->value;
  if (const auto* name = line.find("name")) filter.name = name->value;
  for (const auto& [name, id] : {std::pair{"batch", &filter.batch}, std::pair{"before", &filter.before}}) {
    const auto* given = line.find(name);
    if (given == nullptr) continue;
    const auto value = parse_id(given->value);
    if (!value) return in_option(name, value.error());
    *id = *value;
  }
  if (const auto* limit = line.find("limit")) {
    const auto value = parse_count("limit", limit->value, 1, kMaxListed);
    if (!value) return value.error();
    filter.limit = *value;
  }
  return Unit{};
}

Status read_output_options(ClientOptions& options, const CommandLine& line) {
  options.follows = line.has("follow");
  if (const auto* tail = line.find("tail")) {
    const auto lines = parse_count("tail", tail->value, 0, kMaxTailLines);
    if (!lines) return lines.error();
    options.tail = *lines;
  }
  return Unit{};
}

Status read_general(ClientOptions& options, const CommandLine& line) {
  options.is_quiet = line.has("quiet");
  if (const auto* config = line.find("config")) options.config_file = config->value;
  if (const auto* host = line.find("host")) options.host_url = host->value;
  if (const auto* output = line.find("output")) {
    if (output->value != "table" && output->value != "json") {
      return usage("--output: '" + output->value.substr(0, 64) + "': expected table or json");
    }
    options.prints_json = output->value == "json";
  }
  for (const std::string_view name : {"config", "host"}) {
    const auto* given = line.find(name);
    if (given != nullptr && given->value.empty()) return usage("--" + std::string(name) + " is empty");
  }
  return Unit{};
}

// Nothing polls; the value must still make sense, so that a slip does not go unseen.
Status check_poll_interval(const CommandLine& line) {
  const auto* given = line.find("poll-interval");
  if (given == nullptr) return Unit{};
  const std::string& text = given->value;
  double seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc{} || end != text.data() + text.size() || !(seconds > 0 && seconds <= kMaxPollSeconds)) {
    return usage("--poll-interval: '" + text.substr(0, 64) + "': expected a number of seconds above 0");
  }
  return Unit{};
}

Status read_targets(SubmitRequest& request, const CommandLine& line) {
  for (const auto& text : line.values("target")) {
    auto target = parse_target(text);
    if (!target) return in_option("target", target.error());
    request.targets.push_back(std::move(*target));
  }
  if (request.targets.size() > kMaxTargets) return usage("more than " + std::to_string(kMaxTargets) + " targets");
  request.count = std::max<std::uint64_t>(1, request.targets.size());
  return Unit{};
}

Status read_resources(TaskSpec& spec, const CommandLine& line) {
  if (const auto* cores = line.find("cores")) {
    const auto millicores = parse_cores(cores->value);
    if (!millicores) return in_option("cores", millicores.error());
    spec.resources.millicores = *millicores;
  }
  if (const auto* memory = line.find("memory")) {
    const auto bytes = parse_memory(memory->value);
    if (!bytes) return in_option("memory", bytes.error());
    spec.resources.memory_bytes = *bytes;
  }
  return Unit{};
}

Status read_limits(TaskSpec& spec, const CommandLine& line) {
  if (const auto* time = line.find("time")) {
    const auto limit = parse_duration(time->value);
    if (!limit) return in_option("time", limit.error());
    if (limit->count() == 0 || *limit > kMaxTimeLimit) {
      return usage("--time: '" + time->value.substr(0, 64) +
                   "': expected such as 90s, 30m or 2h, above 0 and at most " + to_duration_text(kMaxTimeLimit));
    }
    spec.time_limit = *limit;
  }
  if (const auto* user = line.find("user")) {
    if (!is_user_name(user->value)) return usage("--user: '" + user->value.substr(0, 80) + "' is not a user's name");
    spec.user = user->value;
  }
  if (const auto* nice = line.find("nice")) {
    const auto niceness = parse_count("nice", nice->value, 0, kMaxNiceness);
    if (!niceness) return niceness.error();
    spec.niceness = static_cast<std::uint32_t>(*niceness);
  }
  return Unit{};
}

// A variable that is given twice has its last value, as in a shell.
Status read_environment(TaskSpec& spec, const CommandLine& line) {
  for (const auto& text : line.values("env")) {
    auto variable = parse_variable(text);
    if (!variable) return in_option("env", variable.error());
    std::erase_if(spec.environment, [&](const auto& earlier) { return earlier.first == variable->first; });
    spec.environment.push_back(std::move(*variable));
  }
  return Unit{};
}

Status read_container(SubmitRequest& request, const CommandLine& line) {
  const auto* container = line.find("container");
  request.spec.mounts = line.values("mount");
  request.spec.privileged = line.has("privileged");
  request.default_container = container == nullptr;
  request.default_mounts = request.spec.mounts.empty();
  request.default_privileged = !request.spec.privileged;
  const bool is_node_itself = container != nullptr && container->value == kNodeItself;
  if (container != nullptr && !is_node_itself) request.spec.container = container->value;
  if (container != nullptr && container->value.empty()) {
    return usage("--container is empty: expected a name, or NULL for the node itself");
  }
  if (is_node_itself && (request.spec.privileged || !request.spec.mounts.empty())) {
    return usage(std::string(request.spec.privileged ? "--privileged" : "--mount") +
                 " does not go with --container NULL: such a task runs on the node itself");
  }
  return Unit{};
}

Status read_submission(ClientOptions& options, CommandLine& line) {
  TaskSpec& spec = options.request.spec;
  options.waits = line.has("wait");
  if (auto status = check_poll_interval(line); !status) return status;
  if (auto status = read_targets(options.request, line); !status) return status;
  if (auto status = read_resources(spec, line); !status) return status;
  if (auto status = read_limits(spec, line); !status) return status;
  if (auto status = read_environment(spec, line); !status) return status;
  if (auto status = read_container(options.request, line); !status) return status;
  if (const auto* name = line.find("name")) spec.name = name->value;
  if (const auto* cwd = line.find("cwd")) spec.working_directory = cwd->value;
  spec.private_network = line.has("private-network");
  spec.private_pid = line.has("private-pid");
  spec.argv = std::move(line.rest);
  return check_submission(options.request);
}

Status read_sweep(ClientOptions& options, const CommandLine& line) {
  const auto files = line.values("sweep");
  if (files.size() > 1) return usage("--sweep is given twice: submit one sweep at a time");
  if (files.front().empty()) return usage("--sweep is empty: expected a file, or - for standard input");
  options.sweep_file = files.front();
  options.follows = line.has("follow");
  options.fetches_outputs = line.has("with-outputs");
  if (options.fetches_outputs && !options.follows) return usage("--with-outputs goes with --follow or --follow-batch");
  return Unit{};
}

Status read_action(ClientOptions& options, CommandLine& line, const ClientOption* action) {
  if (action == nullptr) return read_submission(options, line);
  options.action = *action->action;
  if (options.action == ClientAction::submit_sweep) return read_sweep(options, line);
  if (auto status = read_subject(options, line, *action); !status) return status;
  options.fetches_outputs = line.has("with-outputs");
  if (action->use == ClientUse::output) return read_output_options(options, line);
  if (action->use == ClientUse::tasks) return read_filter(options.filter, line);
  return Unit{};
}

}  // namespace

Result<ClientOptions> parse_client_options(std::span<const std::string> words) {
  ClientOptions options;
  options.action = ClientAction::show_help;
  if (words.empty()) return options;
  auto line = parse_options(plain_options(), words);
  if (!line) return line.error();
  if (line->has("help")) return options;
  options.action = line->has("version") ? ClientAction::show_version : ClientAction::submit;
  if (options.action == ClientAction::show_version) return options;
  const auto action = find_action(*line);
  if (!action) return action.error();
  if (auto status = check_combination(*line, *action); !status) return status.error();
  if (auto status = read_general(options, *line); !status) return status.error();
  if (auto status = read_action(options, *line, *action); !status) return status.error();
  return options;
}

}  // namespace hakuriver::cli
