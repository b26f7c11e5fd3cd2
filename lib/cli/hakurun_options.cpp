#include "cli/hakurun_options.hpp"

#include <cstdlib>
#include <string_view>
#include <utility>

#include "cli/hakurun_option_table.hpp"
#include "hakuriver/environment.hpp"
#include "hakuriver/task.hpp"

namespace hakuriver::cli {
namespace {

// A word of the command line as an option of the table, with the argument that is attached to it.
struct Match {
  const HakurunOption* option = nullptr;
  bool negated = false;
  std::optional<std::string_view> value;
};

bool takes_value(const HakurunOption& option) noexcept { return !option.argument.empty(); }

const HakurunOption* find_option(std::string_view name) {
  for (const auto& group : hakurun_option_groups()) {
    for (const auto& option : group.options) {
      if (name == option.name || (!option.alias.empty() && name == option.alias)) return &option;
    }
  }
  return nullptr;
}

Match find_long(std::string_view text) {
  const auto equals = text.find('=');
  const std::string_view name = text.substr(0, equals);
  Match match;
  if (equals != std::string_view::npos) match.value = text.substr(equals + 1);
  match.option = find_option(name);
  constexpr std::string_view kNo = "no-";
  if (match.option != nullptr || name.substr(0, kNo.size()) != kNo) return match;
  const HakurunOption* const negated = find_option(name.substr(kNo.size()));
  if (negated == nullptr || takes_value(*negated) || !negated->can_be_negated) return match;
  match.option = negated;
  match.negated = true;
  return match;
}

Match find_short(std::string_view text) {
  for (const auto& group : hakurun_option_groups()) {
    for (const auto& option : group.options) {
      if (option.letter == 0 || text.front() != option.letter) continue;
      if (text.size() == 1) return {&option, false, std::nullopt};
      return {&option, false, text.substr(1)};
    }
  }
  return {};
}

Error unknown_option(std::string_view word) {
  return {Errc::invalid_argument, "unknown option '" + std::string(word) +
                                      "': see hakurun --help (options of the command go after the command)"};
}

Status set_flag(HakurunOptions& options, const HakurunOption& option, bool value) {
  if (option.flag == nullptr) return option.set(options, value ? "1" : "0");
  options.*option.flag = value;
  return Unit{};
}

// Takes one option, and the next word where it is its argument. Returns how many words that were.
Result<std::size_t> take_option(HakurunOptions& options, std::span<const char* const> words) {
  const std::string_view word = words.front();
  const Match match = word.substr(0, 2) == "--" ? find_long(word.substr(2)) : find_short(word.substr(1));
  if (match.option == nullptr) return unknown_option(word);
  const std::string name = "--" + std::string(match.option->name);
  if (!takes_value(*match.option)) {
    if (match.value)
      return word[1] == '-' ? Error{Errc::invalid_argument, name + " takes no value"} : unknown_option(word);
    const auto set = set_flag(options, *match.option, !match.negated);
    if (!set) return set.error();
    return std::size_t{1};
  }
  if (!match.value && words.size() < 2) {
    return Error{Errc::invalid_argument, name + " needs its " + std::string(match.option->argument) + " after it"};
  }
  const auto set = match.option->set(options, match.value ? *match.value : std::string_view(words[1]));
  if (!set) return Error{set.error().code, name + ": " + set.error().message};
  return std::size_t{match.value ? 1u : 2u};
}

// HAKURUN_DRY_RUN for --dry-run.
std::string variable_of(const HakurunOption& option) {
  std::string name = "HAKURUN_";
  for (const char c : option.name) {
    name += c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  }
  return name;
}

Status take_environment(HakurunOptions& options, Environment environment) {
  for (const auto& group : hakurun_option_groups()) {
    for (const auto& option : group.options) {
      if (!option.from_environment) continue;
      const std::string name = variable_of(option);
      const auto value = environment(name);
      if (!value || value->empty()) continue;
      Status set = Unit{};
      if (takes_value(option)) {
        set = option.set(options, *value);
      } else if (const auto flag = parse_flag(*value)) {
        set = set_flag(options, option, *flag);
      } else {
        set = flag.error();
      }
      if (!set) return Error{set.error().code, "the variable " + name + ": " + set.error().message};
    }
  }
  return Unit{};
}

// Of what goes with both places, what only one of them can do.
Status check_cluster_limits(const RunOptions& run) {
  const auto fault = [](const char* text) { return Error{Errc::invalid_argument, text}; };
  if (run.children.nice < 0)
    return fault("--nice: with --to cluster expected 0 to 19: no task gets more than its node");
  if (run.time_limit.percent_of_median > 0) {
    return fault("--timeout: with --to cluster expected a time such as 30s: its nodes do not know the median");
  }
  if (run.time_limit.most > kMaxTimeLimit) return fault("--timeout: with --to cluster expected at most 3650d");
  return Unit{};
}

// What only tasks have.
Status check_no_cluster(const ClusterOptions& cluster) {
  const std::pair<bool, const char*> remote[] = {
      {!cluster.targets.empty(), "--target"},
      {!cluster.cores.empty(), "--cores"},
      {!cluster.memory.empty(), "--memory"},
      {!cluster.container.empty(), "--container"},
      {!cluster.mounts.empty(), "--mount"},
      {cluster.privileged, "--privileged"},
      {cluster.private_network, "--private-network"},
      {cluster.private_pid, "--private-pid"},
      {!cluster.user.empty(), "--user"},
      {!cluster.host.empty(), "--host"},
      {!cluster.name.empty(), "--name"},
  };
  for (const auto& [given, name] : remote) {
    if (given) return Error{Errc::invalid_argument, std::string(name) + " needs --to cluster"};
  }
  return Unit{};
}

// What belongs to processes of this machine, or to the cluster, alone.
Status check_place(const HakurunOptions& options) {
  if (!options.to_cluster) return check_no_cluster(options.cluster);
  const RunOptions& run = options.run;
  const std::pair<bool, const char*> local[] = {
      {options.first_reads_stdin, "--stdin"}, {options.jobserver, "--jobserver"},
      {options.ungroup, "--ungroup"},         {!run.children.slot_environment.empty(), "--gpus"},
      {run.max_load > 0, "--load"},           {run.min_free_memory_bytes > 0, "--memfree"},
      {run.delay.count() > 0, "--delay"},
  };
  for (const auto& [given, name] : local) {
    if (given) return Error{Errc::invalid_argument, std::string(name) + " does not go with --to cluster"};
  }
  if (options.jobs && options.jobs->kind != JobCount::Kind::number) {
    return Error{Errc::invalid_argument, "--jobs: with --to cluster expected a number: there is no one machine's CPUs"};
  }
  const ClusterOptions& cluster = options.cluster;
  if (cluster.container == kNodeItself && (cluster.privileged || !cluster.mounts.empty())) {
    return Error{Errc::invalid_argument, std::string(cluster.privileged ? "--privileged" : "--mount") +
                                             " does not go with --container NULL: such a task runs on the node itself"};
  }
  return check_cluster_limits(run);
}

// What each option by itself cannot know.
Status check_together(const HakurunOptions& options, bool seed_is_typed) {
  const SelectionOptions& selection = options.run.selection;
  const auto fault = [](const char* text) { return Error{Errc::invalid_argument, text}; };
  if (seed_is_typed && !selection.shuffle && !selection.sample) return fault("--seed needs --shuffle or --sample");
  if (options.run.resume && options.run.joblog.empty()) return fault("--resume needs --joblog");
  if (options.run.retry_failed && options.run.joblog.empty()) return fault("--retry-failed needs --joblog");
  if (options.run.resume && options.run.retry_failed) {
    return fault("--resume and --retry-failed exclude each other: --resume tries what has failed as well");
  }
  if (options.ungroup && options.line_buffer) return fault("--ungroup and --line-buffer exclude each other");
  if (options.ungroup && !options.run.results.empty()) {
    return fault("--ungroup and --results exclude each other: try --line-buffer");
  }
  if (options.ungroup && options.keep_order) return fault("--ungroup and --keep-order exclude each other");
  if (options.ungroup && options.tag) return fault("--ungroup and --tag exclude each other: try --line-buffer --tag");
  return check_place(options);
}

}  // namespace

std::optional<std::string> process_environment(const std::string& name) {
  const char* const value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return std::string(value);
}

Result<HakurunOptions> parse_hakurun_options(std::span<const char* const> arguments, Environment environment) {
  HakurunOptions options;
  if (environment != nullptr) {
    const auto taken = take_environment(options, environment);
    if (!taken) return taken.error();
  }
  const auto inherited_seed = std::exchange(options.seed, std::nullopt);
  std::size_t at = 0;
  while (at < arguments.size()) {
    const std::string_view word = arguments[at];
    if (word.size() < 2 || word.front() != '-') break;
    if (word == "--") {
      ++at;
      break;
    }
    const auto taken = take_option(options, arguments.subspan(at));
    if (!taken) return taken.error();
    at += *taken;
  }
  options.typed_before.emplace_back("hakurun");
  options.typed_before.insert(options.typed_before.end(), arguments.begin(),
                              arguments.begin() + static_cast<std::ptrdiff_t>(at));
  options.command.assign(arguments.begin() + static_cast<std::ptrdiff_t>(at), arguments.end());
  if (options.help || options.version) return options;
  if (options.command.empty()) {
    return Error{Errc::invalid_argument,
                 "no command: expected hakurun [OPTIONS] COMMAND ARGUMENTS... (hakurun --help)"};
  }
  const auto fitting = check_together(options, options.seed.has_value());
  if (!fitting) return fitting.error();
  if (!options.seed) options.seed = inherited_seed;
  return options;
}

}  // namespace hakuriver::cli
