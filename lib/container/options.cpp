#include "container/options.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace hakuriver::container {
namespace {

template <class Number>
bool read_number(std::string_view text, Number& number) {
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number);
  return read.ec == std::errc() && read.ptr == end;
}

template <class Number>
bool read_numbers(std::string_view text, std::vector<Number>& numbers) {
  while (!text.empty()) {
    const auto end = std::min(text.find(','), text.size());
    if (!read_number(text.substr(0, end), numbers.emplace_back())) return false;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return true;
}

bool read_flag(std::string_view text, bool& flag) {
  flag = text == "yes";
  return text == "yes" || text == "no";
}

// "UID:GID"
bool read_user(const std::string& text, Options& options) {
  const auto colon = text.find(':');
  options.container.user = text;
  return colon != std::string::npos && read_number(std::string_view(text).substr(0, colon), options.uid) &&
         read_number(std::string_view(text).substr(colon + 1), options.gid);
}

bool read_mount(const std::string& text, std::vector<Mount>& mounts) {
  auto mount = parse_mount(text);
  if (mount) mounts.push_back(std::move(*mount));
  return mount.has_value();
}

bool set(std::string& field, const std::string& value) {
  field = value;
  return !value.empty();
}

struct Word {
  std::string_view name;
  bool (*read)(const std::string& value, Options& options);
};

constexpr Word kWords[] = {
    {"--socket", [](const std::string& value, Options& it) { return set(it.socket, value); }},
    {"--program", [](const std::string& value, Options& it) { return set(it.program, value); }},
    {"--name", [](const std::string& value, Options& it) { return set(it.name, value); }},
    {"--owner", [](const std::string& value, Options& it) { return set(it.owner, value); }},
    {"--state", [](const std::string& value, Options& it) { return set(it.state, value); }},
    {"--image", [](const std::string& value, Options& it) { return set(it.container.image, value); }},
    {"--package", [](const std::string& value, Options& it) { return set(it.source.package, value); }},
    {"--packages", [](const std::string& value, Options& it) { return set(it.source.packages, value); }},
    {"--locks", [](const std::string& value, Options& it) { return set(it.source.locks, value); }},
    {"--keep-versions",
     [](const std::string& value, Options& it) { return read_number(value, it.source.keep_versions); }},
    {"--login-client", [](const std::string& value, Options& it) { return set(it.source.login_client, value); }},
    {"--init", [](const std::string& value, Options& it) { return set(it.init, value); }},
    {"--hakurun", [](const std::string& value, Options& it) { return set(it.hakurun, value); }},
    {"--user", read_user},
    {"--groups", [](const std::string& value, Options& it) { return read_numbers(value, it.container.groups); }},
    {"--workdir", [](const std::string& value, Options& it) { return set(it.container.working_directory, value); }},
    {"--network", [](const std::string& value, Options& it) { return set(it.container.network, value); }},
    {"--millicores", [](const std::string& value, Options& it) { return read_number(value, it.container.millicores); }},
    {"--memory", [](const std::string& value, Options& it) { return read_number(value, it.container.memory_bytes); }},
    {"--cpus", [](const std::string& value, Options& it) { return read_numbers(value, it.container.cpus); }},
    {"--memory-node",
     [](const std::string& value, Options& it) { return read_number(value, it.container.memory_node.emplace()); }},
    {"--mount", [](const std::string& value, Options& it) { return read_mount(value, it.container.mounts); }},
    {"--limited-mount", [](const std::string& value, Options& it) { return read_mount(value, it.limited_mounts); }},
    {"--allow-mount", [](const std::string& value, Options& it) { return set(it.allow_mounts.emplace_back(), value); }},
    {"--privileged", [](const std::string& value, Options& it) { return read_flag(value, it.container.privileged); }},
    {"--no-new-privileges",
     [](const std::string& value, Options& it) { return read_flag(value, it.container.no_new_privileges); }},
    {"--nice",
     [](const std::string& value, Options& it) { return read_number(value, it.niceness) && it.niceness >= 0; }},
};

Error bad(std::string message) { return {Errc::invalid_argument, std::move(message)}; }

Status check(const Options& options) {
  for (const auto& [name, value] : {std::pair{"--name", &options.name}, std::pair{"--owner", &options.owner},
                                    std::pair{"--state", &options.state}}) {
    if (value->empty()) return bad(std::string(name) + " is missing");
  }
  if (options.socket.empty() == options.program.empty()) return bad("either --socket or --program is expected");
  if (std::find(std::begin(kVerbs), std::end(kVerbs), options.verb) == std::end(kVerbs)) {
    return bad("'" + options.verb + "': expected run, pause, resume, terminate, kill or finish");
  }
  if (options.verb != "run") return Unit{};
  if (options.container.image.empty() || options.init.empty() || options.container.user.empty()) {
    return bad("run: --image, --init and --user are expected");
  }
  return options.command.empty() ? Status(bad("run: a command is expected behind --")) : Status(Unit{});
}

std::string mount_text(const Mount& mount) {
  return mount.source + ":" + mount.target + (mount.read_only ? ":ro" : "");
}

std::string join(const std::vector<std::uint32_t>& numbers) {
  std::string text;
  for (const auto number : numbers) text += (text.empty() ? "" : ",") + std::to_string(number);
  return text;
}

}  // namespace

Result<Options> parse_options(const Argv& words) {
  Options options;
  std::size_t at = 0;
  for (; at < words.size() && words[at].starts_with("--"); at += 2) {
    const auto known =
        std::find_if(std::begin(kWords), std::end(kWords), [&](const Word& word) { return word.name == words[at]; });
    if (known == std::end(kWords)) return bad("'" + words[at] + "' is not known");
    if (at + 1 == words.size()) return bad(words[at] + " needs a value");
    if (!known->read(words[at + 1], options)) return bad(words[at] + " '" + words[at + 1] + "' is no such value");
  }
  if (at < words.size()) options.verb = words[at++];
  if (at < words.size() && words[at] == "--") {
    options.command.assign(words.begin() + static_cast<std::ptrdiff_t>(at) + 1, words.end());
  } else if (at < words.size()) {
    return bad("'" + words[at] + "': nothing was expected there");
  }
  if (auto whole = check(options); !whole) return whole.error();
  options.container.name = options.name;
  options.source.socket = options.socket;
  if (options.socket.empty()) options.source.login_client = options.program;
  options.container.labels = {{"hakuriver.owner", options.owner}};
  return options;
}

Argv build_common_words(const Options& options) {
  Argv words;
  const auto add = [&words](const char* name, const std::string& value) {
    if (!value.empty()) words.insert(words.end(), {name, value});
  };
  add("--socket", options.socket);
  add("--program", options.program);
  add("--name", options.name);
  add("--owner", options.owner);
  add("--state", options.state);
  return words;
}

Argv build_run_words(const Options& options) {
  const Container& container = options.container;
  Argv words = build_common_words(options);
  const auto add = [&words](const char* name, const std::string& value) {
    if (!value.empty()) words.insert(words.end(), {name, value});
  };
  add("--image", container.image);
  add("--package", options.source.package);
  add("--packages", options.source.packages);
  add("--locks", options.source.locks);
  if (options.source.keep_versions != 0) add("--keep-versions", std::to_string(options.source.keep_versions));
  add("--login-client", options.source.login_client);
  add("--init", options.init);
  add("--hakurun", options.hakurun);
  add("--user", container.user);
  add("--groups", join(container.groups));
  add("--workdir", container.working_directory);
  add("--network", container.network);
  if (container.millicores != 0) add("--millicores", std::to_string(container.millicores));
  if (container.memory_bytes != 0) add("--memory", std::to_string(container.memory_bytes));
  add("--cpus", join(container.cpus));
  if (container.memory_node) add("--memory-node", std::to_string(*container.memory_node));
  for (const auto& mount : container.mounts) add("--mount", mount_text(mount));
  for (const auto& mount : options.limited_mounts) add("--limited-mount", mount_text(mount));
  for (const auto& directory : options.allow_mounts) add("--allow-mount", directory);
  if (container.privileged) add("--privileged", "yes");
  if (container.no_new_privileges) add("--no-new-privileges", "yes");
  if (options.niceness != 0) add("--nice", std::to_string(options.niceness));
  return words;
}

}  // namespace hakuriver::container
