#include "launch/exec_options.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <string_view>
#include <utility>

namespace hakuriver::launch {
namespace {

struct FlagOption {
  std::string_view name;
  bool ExecOptions::*member;
};

struct TextOption {
  std::string_view name;
  std::string ExecOptions::*member;
};

constexpr FlagOption kFlags[] = {{"--no-new-privileges", &ExecOptions::no_new_privileges},
                                 {"--private-network", &ExecOptions::private_network},
                                 {"--private-pid", &ExecOptions::private_pid}};

constexpr TextOption kTexts[] = {{"--report", &ExecOptions::report_file},
                                 {"--spec", &ExecOptions::spec_file},
                                 {"--stdout", &ExecOptions::stdout_file},
                                 {"--stderr", &ExecOptions::stderr_file},
                                 {"--account", &ExecOptions::account_file}};

Error bad(std::string message) { return {Errc::invalid_argument, std::move(message)}; }

std::optional<std::uint32_t> number_of(std::string_view text, std::uint32_t most) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number > most) return std::nullopt;
  return number;
}

// "1,2,3"; an empty text is no numbers.
std::optional<std::vector<std::uint32_t>> numbers_of(std::string_view text, std::uint32_t most) {
  std::vector<std::uint32_t> numbers;
  while (!text.empty()) {
    const auto comma = text.find(',');
    const auto number = number_of(text.substr(0, comma), most);
    if (!number || comma + 1 == text.size()) return std::nullopt;
    numbers.push_back(*number);
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
  }
  return numbers;
}

std::string text_of(const std::vector<std::uint32_t>& numbers) {
  std::string text;
  for (const auto number : numbers) text += (text.empty() ? "" : ",") + std::to_string(number);
  return text;
}

std::optional<TaskUser> user_of(std::string_view text) {
  constexpr auto kMost = std::numeric_limits<std::uint32_t>::max() - 1;  // the last means "leave it"
  const auto first = text.find(':');
  if (first == std::string_view::npos) return std::nullopt;
  const auto second = text.find(':', first + 1);
  const auto uid = number_of(text.substr(0, first), kMost);
  const auto gid = number_of(text.substr(first + 1, second - first - 1), kMost);
  auto groups = numbers_of(second == std::string_view::npos ? std::string_view() : text.substr(second + 1), kMost);
  if (!uid || !gid || !groups) return std::nullopt;
  return TaskUser{*uid, *gid, std::move(*groups)};
}

// Those whose value is a number or several; false where it is not.
bool set_number(ExecOptions& options, std::string_view name, std::string_view value) {
  constexpr std::uint32_t kMaxCpu = 8191;
  if (name == "--user") {
    options.user = user_of(value);
    return options.user.has_value();
  }
  if (name == "--cpus") {
    auto cpus = numbers_of(value, kMaxCpu);
    if (cpus) options.cpus = std::move(*cpus);
    return cpus.has_value();
  }
  if (name == "--outputs-of") {
    constexpr std::uint32_t kMaxPid = 1u << 22;  // proc(5), pid_max
    const auto pid = number_of(value, kMaxPid);
    options.outputs_of = pid.value_or(0);
    return options.outputs_of != 0;
  }
  const auto number = number_of(value, kMaxCpu);
  if (!number) return false;
  if (name == "--numa-node") options.numa_node = *number;
  if (name == "--nice") options.niceness = static_cast<std::int32_t>(*number);
  if (name == "--report-fd") options.report_fd = static_cast<int>(*number);
  return name != "--nice" || *number <= 19;
}

bool is_number_option(std::string_view name) {
  constexpr std::string_view kNames[] = {"--user", "--cpus", "--numa-node", "--nice", "--report-fd", "--outputs-of"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

bool set_flag(ExecOptions& options, std::string_view word) {
  for (const auto& flag : kFlags) {
    if (flag.name != word) continue;
    options.*flag.member = true;
    return true;
  }
  return false;
}

Status set_value(ExecOptions& options, const std::string& name, const std::string& value) {
  for (const auto& text : kTexts) {
    if (text.name != name) continue;
    if (value.empty() || value.front() != '/') return bad(name + " '" + value + "': expected an absolute path");
    options.*text.member = value;
    return Unit{};
  }
  if (!is_number_option(name)) return bad("'" + name + "' is no option");
  if (!set_number(options, name, value)) return bad(name + " '" + value + "': expected something else");
  return Unit{};
}

}  // namespace

Result<ExecOptions> parse_exec_options(const Argv& words) {
  ExecOptions options;
  std::size_t next = 0;
  while (next < words.size() && words[next] != "--") {
    const std::string& word = words[next++];
    if (set_flag(options, word)) continue;
    if (next == words.size()) return bad("'" + word + "' is no option, or lacks its value");
    if (const auto set = set_value(options, word, words[next++]); !set) return set.error();
  }
  if (next + 1 >= words.size()) return bad("no command: expected it after '--'");
  options.command.assign(words.begin() + static_cast<std::ptrdiff_t>(next) + 1, words.end());
  return options;
}

Argv build_exec_words(const ExecOptions& options) {
  Argv words;
  if (options.report_fd >= 0) words.insert(words.end(), {"--report-fd", std::to_string(options.report_fd)});
  for (const auto& text : kTexts) {
    if (!(options.*text.member).empty()) words.insert(words.end(), {std::string(text.name), options.*text.member});
  }
  if (options.outputs_of != 0) words.insert(words.end(), {"--outputs-of", std::to_string(options.outputs_of)});
  if (options.user) {
    const auto& user = *options.user;
    std::string value = std::to_string(user.uid) + ":" + std::to_string(user.gid);
    if (!user.groups.empty()) value += ":" + text_of(user.groups);
    words.insert(words.end(), {"--user", std::move(value)});
  }
  if (options.niceness != 0) words.insert(words.end(), {"--nice", std::to_string(options.niceness)});
  if (!options.cpus.empty()) words.insert(words.end(), {"--cpus", text_of(options.cpus)});
  if (options.numa_node) words.insert(words.end(), {"--numa-node", std::to_string(*options.numa_node)});
  for (const auto& flag : kFlags) {
    if (options.*flag.member) words.emplace_back(flag.name);
  }
  words.emplace_back("--");
  words.insert(words.end(), options.command.begin(), options.command.end());
  return words;
}

}  // namespace hakuriver::launch
