#include "cli/init_service.hpp"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ostream>
#include <utility>

#include "cli/exit_status.hpp"
#include "cli/options.hpp"
#include "cli/table.hpp"
#include "hakuriver/argv.hpp"
#include "hakuriver/config.hpp"
#include "platform/files.hpp"
#include "platform/identity.hpp"
#include "platform/system_error.hpp"

namespace hakuriver::cli {
namespace {

constexpr std::size_t kMostOfUnit = 64 * 1024;

constexpr Option kOptions[] = {
    {.name = "host", .help = "the unit of the host"},
    {.name = "runner", .help = "the unit of this machine's runner"},
    {.name = "all", .help = "both"},
    {.name = "config", .letter = 'c', .value = "FILE", .help = "what the programs read; else the usual one"},
    {.name = "user", .help = "for your own systemd (systemctl --user), not the machine's"},
    {.name = "output", .letter = 'o', .value = "DIR", .help = "write them there; else where systemd looks"},
    {.name = "print", .help = "print them and write nothing"},
    {.name = "force", .help = "replace a unit file that was changed"},
    {.name = "enable", .help = "start them now and whenever the machine starts"},
    {.name = "help", .letter = 'h', .help = "print this"},
};

constexpr std::string_view kHelp = R"(Examples:
  hakuriver.init service --all --enable     host and runner on this machine
  hakuriver.init service --runner --config /etc/hakuriver.toml
  hakuriver.init service --host --print

Usage: hakuriver.init service --host|--runner|--all [OPTION]...

Writes the unit files with which systemd starts the programs. A restart of
either leaves tasks alone: they go on, and the next runner adopts them.

)";

struct Unit {
  std::string name;  // with ".service"
  std::string text;
};

struct Place {
  bool is_users = false;
  std::string directory;
};

int fail(Streams streams, const Error& error) {
  streams.err << "hakuriver.init: " << printable(error.message) << "\n";
  return exit_of(error.code);
}

Error wrong(std::string message) { return {Errc::invalid_argument, std::move(message)}; }

std::string variable(const std::vector<std::string>& environment, std::string_view name) {
  for (const auto& entry : environment) {
    if (entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=')
      return entry.substr(name.size() + 1);
  }
  return {};
}

Result<std::string> absolute(const std::string& path) {
  if (path.starts_with('/')) return path;
  char current[4096];
  if (::getcwd(current, sizeof current) == nullptr) return platform::system_error("getcwd", errno);
  return std::string(current) + "/" + path;
}

Result<Place> find_place(const CommandLine& line, const std::vector<std::string>& environment) {
  Place place{line.has("user"), "/etc/systemd/system"};
  if (const auto* output = line.find("output")) {
    auto directory = absolute(output->value);
    if (!directory) return directory.error();
    place.directory = std::move(*directory);
  } else if (place.is_users) {
    const std::string config = variable(environment, "XDG_CONFIG_HOME");
    const std::string home = variable(environment, "HOME");
    if (config.empty() && home.empty()) return wrong("--user: neither HOME nor XDG_CONFIG_HOME is set");
    place.directory = (config.empty() ? home + "/.config" : config) + "/systemd/user";
  }
  return place;
}

std::string fill(std::string_view text, std::string_view name, std::string_view value) {
  std::string whole(text);
  const auto at = whole.find(name);
  if (at != std::string::npos) whole.replace(at, name.size(), value);
  return whole;
}

// The configuration is read once, so that a mistake is told here and not by a unit that fails.
Result<std::vector<Unit>> make_units(const CommandLine& line, const std::vector<std::string>& environment,
                                     const Place& place) {
  const auto directory = platform::executable_directory();
  if (!directory) return directory.error();
  std::string options;
  ConfigSources sources{.environment = environment};
  if (const auto* config = line.find("config")) {
    const auto path = absolute(config->value);
    if (!path) return path.error();
    sources.config_file = *path;
    options = " --config " + unit_word(*path, true);
  }
  const auto loaded = load_config(sources);
  if (!loaded) return wrong(loaded.error().message);
  const auto unit = [&](const std::string& name, std::string_view text) {
    const std::string program = unit_word(*directory + "/hakuriver." + name, true) + options;
    const std::string with_program = fill(text, "@program@", program);
    const std::string with_home =
        fill(with_program, "@environment@", unit_word("HAKURIVER_HOME=" + loaded->home, false));
    return Unit{"hakuriver-" + name + ".service",
                fill(with_home, "@target@", place.is_users ? "default.target" : "multi-user.target")};
  };
  std::vector<Unit> units;
  if (line.has("host") || line.has("all")) units.push_back(unit("host", host_unit_template()));
  if (line.has("runner") || line.has("all")) units.push_back(unit("runner", runner_unit_template()));
  return units;
}

Status write_unit(Streams streams, const std::string& directory, const Unit& unit, bool is_forced) {
  const std::string path = directory + "/" + unit.name;
  if (::access(path.c_str(), F_OK) == 0) {
    const auto present = platform::read_file(path, kMostOfUnit);
    if (present && *present == unit.text) {
      streams.out << path << " is there already and stays as it is\n";
      return hakuriver::Unit{};
    }
    if (!is_forced) return Error{Errc::conflict, "'" + path + "' differs from what would be written: see --force"};
  }
  const Status written = platform::write_file_atomically(path, unit.text, 0644);
  if (written) streams.out << "wrote " << path << "\n";
  return written;
}

Argv systemctl(const Place& place, const std::vector<std::string>& words) {
  Argv argv{"systemctl"};
  if (place.is_users) argv.emplace_back("--user");
  argv.insert(argv.end(), words.begin(), words.end());
  return argv;
}

Status run(const Argv& argv) {
  std::vector<char*> words;
  for (const auto& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  pid_t pid = 0;
  const int code = ::posix_spawnp(&pid, words[0], nullptr, nullptr, words.data(), environ);
  if (code != 0) return platform::system_error("cannot run '" + argv[0] + "'", code);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return hakuriver::Unit{};
  return Error{Errc::io, "'" + shell_quote(argv) + "' failed"};
}

int enable(Streams streams, const Place& place, const std::vector<Unit>& units, bool is_now) {
  std::vector<std::string> words{"enable", "--now"};
  for (const auto& unit : units) words.push_back(unit.name);
  const Argv orders[] = {systemctl(place, {"daemon-reload"}), systemctl(place, words)};
  if (!is_now) {
    streams.out << "to start now and whenever the machine starts:\n  " << shell_quote(orders[0]) << "\n  "
                << shell_quote(orders[1]) << "\n";
    return kExitGood;
  }
  streams.out.flush();
  for (const auto& order : orders) {
    if (const Status done = run(order); !done) return fail(streams, done.error());
  }
  return kExitGood;
}

int print(Streams streams, const Place& place, const std::vector<Unit>& units) {
  for (const auto& unit : units) {
    streams.out << (&unit == units.data() ? "# " : "\n# ") << place.directory << "/" << unit.name << "\n" << unit.text;
  }
  return kExitGood;
}

int write_units(const CommandLine& line, Streams streams, const Place& place, const std::vector<Unit>& units) {
  if (place.is_users && !line.has("output")) {
    if (const Status made = platform::create_private_directory(place.directory); !made)
      return fail(streams, made.error());
  }
  for (const auto& unit : units) {
    const Status written = write_unit(streams, place.directory, unit, line.has("force"));
    if (!written) return fail(streams, written.error());
  }
  if (line.has("output") && !line.has("enable")) return kExitGood;
  return enable(streams, place, units, line.has("enable"));
}

}  // namespace

std::string unit_word(std::string_view word, bool is_command) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string text;
  bool is_plain = !word.empty();
  for (const char c : word) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      text += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
      is_plain = false;
      continue;
    }
    if (c == '\\' || c == '"') text += '\\';
    if (c == '%' || (c == '$' && is_command)) text += c;
    is_plain = is_plain && c != ' ' && c != '\\' && c != '"' && c != '\'' && c != ';';
    text += c;
  }
  return is_plain ? text : '"' + text + '"';
}

int init_service(std::span<const std::string> words, const std::vector<std::string>& environment, Streams streams) {
  const auto line = parse_options(kOptions, words);
  if (!line) return fail(streams, line.error());
  if (!line->rest.empty()) return fail(streams, wrong("'" + line->rest[0] + "': expected options only (see --help)"));
  if (line->has("help")) {
    streams.out << kHelp << describe_options(kOptions);
    return kExitGood;
  }
  if (!line->has("host") && !line->has("runner") && !line->has("all"))
    return fail(streams, wrong("service: expected --host, --runner or --all"));
  if (line->has("enable") && (line->has("print") || line->has("output")))
    return fail(streams, wrong("--enable needs the units where systemd looks: without --print and --output"));
  const auto place = find_place(*line, environment);
  if (!place) return fail(streams, place.error());
  const auto units = make_units(*line, environment, *place);
  if (!units) return fail(streams, units.error());
  const int exit = line->has("print") ? print(streams, *place, *units) : write_units(*line, streams, *place, *units);
  streams.out.flush();
  return exit != kExitGood || streams.out.good() ? exit : kExitFailed;
}

}  // namespace hakuriver::cli
