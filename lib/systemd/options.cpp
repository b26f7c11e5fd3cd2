#include "systemd/options.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

namespace hakuriver::systemd {
namespace {

struct TextOption {
  std::string_view name;
  std::string Options::*member;
  bool is_path;
  bool for_control;
};

constexpr TextOption kTexts[] = {{"--unit", &Options::unit, false, true},
                                 {"--directory", &Options::directory, true, true},
                                 {"--exec", &Options::exec, true, false},
                                 {"--description", &Options::description, false, false},
                                 {"--working-directory", &Options::working_directory, true, false},
                                 {"--sudo", &Options::sudo, true, true},
                                 {"--systemd-run", &Options::systemd_run, true, false},
                                 {"--systemctl", &Options::systemctl, true, true}};

constexpr std::string_view kVerbs[] = {"run", "pause", "resume", "terminate", "kill", "finish"};

Error bad(std::string message) { return {Errc::invalid_argument, std::move(message)}; }

template <class Number>
bool read_number(const std::string& text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

bool set_flag(Options& options, std::string_view word) {
  if (word == "--user-manager") return options.user_manager = true;
  if (word == "--no-bus") return options.no_bus = true;
  return false;
}

// False where it is none of ours; hakuriver-exec's are told apart then.
Result<bool> set_value(Options& options, const std::string& name, const std::string& value) {
  for (const auto& text : kTexts) {
    if (text.name != name) continue;
    if (text.is_path && !value.starts_with('/')) return bad(name + " '" + value + "': expected an absolute path");
    options.*text.member = value;
    return true;
  }
  bool is_number = true;
  if (name == "--millicores") {
    is_number = read_number(value, options.millicores);
  } else if (name == "--memory-bytes") {
    is_number = read_number(value, options.memory_bytes);
  } else if (name == "--systemd-version") {
    is_number = read_number(value, options.version);
  } else {
    return false;
  }
  if (!is_number) return bad(name + " '" + value + "': expected a number");
  return true;
}

bool is_task_flag(std::string_view word) {
  return word == "--private-network" || word == "--private-pid" || word == "--no-new-privileges";
}

Status check(const Options& options) {
  if (!options.unit.ends_with(".scope") && !options.unit.ends_with(".service")) {
    return bad("--unit '" + options.unit + "': expected the name of a scope or a service");
  }
  if (options.unit.find('/') != std::string::npos) return bad("--unit '" + options.unit + "': a name has no '/'");
  if (options.directory.empty()) return bad("--directory is missing");
  if (options.verb == "run" && options.exec.empty()) return bad("--exec is missing");
  return Unit{};
}

// The part that hakuriver-exec reads itself.
Status read_task(Options& options, Argv task, const Argv& words, std::size_t next) {
  if (options.verb != "run") {
    if (next < words.size()) return bad("'" + words[next] + "': nothing is expected behind '" + options.verb + "'");
    return Unit{};
  }
  task.insert(task.end(), words.begin() + static_cast<std::ptrdiff_t>(next), words.end());
  auto read = launch::parse_exec_options(task);
  if (!read) return read.error();
  options.task = std::move(*read);
  return Unit{};
}

}  // namespace

Result<Options> parse_options(const Argv& words) {
  Options options;
  Argv task;
  std::size_t next = 0;
  while (next < words.size() && words[next].starts_with("--")) {
    const std::string& name = words[next++];
    if (set_flag(options, name)) continue;
    if (is_task_flag(name)) {
      task.push_back(name);
      continue;
    }
    if (next == words.size()) return bad("'" + name + "' is no option, or lacks its value");
    const std::string& value = words[next++];
    const auto set = set_value(options, name, value);
    if (!set) return set.error();
    if (!*set) task.insert(task.end(), {name, value});
  }
  if (next == words.size()) return bad("expected one of run, pause, resume, terminate, kill and finish");
  options.verb = words[next++];
  if (std::find(std::begin(kVerbs), std::end(kVerbs), options.verb) == std::end(kVerbs)) {
    return bad("'" + options.verb + "': expected one of run, pause, resume, terminate, kill and finish");
  }
  if (const auto read = read_task(options, std::move(task), words, next); !read) return read.error();
  if (const auto checked = check(options); !checked) return checked.error();
  return options;
}

Argv build_control_words(const Options& options) {
  Argv words;
  for (const auto& text : kTexts) {
    const auto& value = options.*text.member;
    if (text.for_control && !value.empty()) words.insert(words.end(), {std::string(text.name), value});
  }
  if (options.user_manager) words.emplace_back("--user-manager");
  return words;
}

Argv build_run_words(const Options& options) {
  Argv words = build_control_words(options);
  for (const auto& text : kTexts) {
    const auto& value = options.*text.member;
    if (!text.for_control && !value.empty()) words.insert(words.end(), {std::string(text.name), value});
  }
  const auto add = [&words](const char* name, std::uint64_t number) {
    if (number != 0) words.insert(words.end(), {name, std::to_string(number)});
  };
  add("--millicores", options.millicores);
  add("--memory-bytes", options.memory_bytes);
  add("--systemd-version", options.version);
  if (options.no_bus) words.emplace_back("--no-bus");
  const Argv task = launch::build_exec_words(options.task);
  const auto dashes = std::find(task.begin(), task.end(), "--");
  words.insert(words.end(), task.begin(), dashes);
  words.emplace_back("run");
  words.insert(words.end(), dashes, task.end());
  return words;
}

}  // namespace hakuriver::systemd
