#include "cli/init_program.hpp"

#include <unistd.h>

#include <ostream>

#include "cli/exit_status.hpp"
#include "cli/init_service.hpp"
#include "cli/options.hpp"
#include "cli/table.hpp"
#include "config/token.hpp"
#include "hakuriver/config.hpp"
#include "hakuriver/version.hpp"
#include "platform/files.hpp"
#include "platform/random.hpp"

namespace hakuriver::cli {
namespace {

constexpr Option kOptions[] = {
    {.name = "config",
     .letter = 'c',
     .value = "FILE",
     .help = "that configuration is there: write only the token, where it says"},
    {.name = "output", .letter = 'o', .value = "FILE", .help = "write the configuration there, and no token"},
    {.name = "print", .help = "print the default configuration and write nothing"},
    {.name = "help", .letter = 'h', .help = "print this"},
    {.name = "version", .letter = 'V', .help = "print the version"},
};

constexpr std::string_view kHelp = R"(Examples:
  hakuriver.init              writes config.toml and token into ~/.hakuriver
  hakuriver.init --output cluster.toml
  hakuriver.init --config cluster.toml
  hakuriver.init --print
  hakuriver.init service --help

Usage: hakuriver.init [OPTION]...
       hakuriver.init service --host|--runner|--all [OPTION]...

Writes the commented default configuration and a new secret token, where they
are not there yet. $HAKURIVER_HOME names another directory than ~/.hakuriver. On
a cluster, copy both to every machine and set host_reachable_address. With
"service" it writes unit files for systemd.

)";

int fail(Streams streams, const Error& error) {
  streams.err << "hakuriver.init: " << printable(error.message) << "\n";
  return exit_of(error.code);
}

int keep(Streams streams, const std::string& path) {
  streams.out << path << " is there already and stays as it is\n";
  return kExitGood;
}

int write_config(Streams streams, const std::string& path) {
  if (::access(path.c_str(), F_OK) == 0) return keep(streams, path);
  const Status written = platform::write_file_atomically(path, default_config_text(), 0644);
  if (!written) return fail(streams, written.error());
  streams.out << "wrote " << path << "\n";
  return kExitGood;
}

int write_token(Streams streams, const std::string& path) {
  if (::access(path.c_str(), F_OK) == 0) return keep(streams, path);
  const auto token = platform::random_hex(32);
  if (!token) return fail(streams, token.error());
  const Status written = config::create_token_file(path, *token);
  if (!written) return fail(streams, written.error());
  streams.out << "wrote " << path << " (secret; mode 0600)\n";
  return kExitGood;
}

// Where the files belong, without reading a configuration that is there: it may be what has to be mended.
Result<std::string> find_home(const std::vector<std::string>& environment) {
  ConfigSources sources;
  for (const auto& variable : environment) {
    if (variable.starts_with("HOME=") || variable.starts_with("HAKURIVER_HOME="))
      sources.environment.push_back(variable);
  }
  sources.config_file = "/dev/null";
  const auto loaded = load_config(sources);
  if (!loaded) return loaded.error();
  return loaded->home;
}

int write_all(Streams streams, const std::vector<std::string>& environment) {
  const auto home = find_home(environment);
  if (!home) return fail(streams, home.error());
  const Status made = platform::create_private_directory(*home);
  if (!made) return fail(streams, made.error());
  const int config = write_config(streams, *home + "/config.toml");
  const int token = write_token(streams, *home + "/token");
  return config != kExitGood ? config : token;
}

int write_token_of(Streams streams, const std::string& file, const std::vector<std::string>& environment) {
  const auto loaded = load_config({.config_file = file, .environment = environment});
  if (!loaded) return fail(streams, {Errc::invalid_argument, loaded.error().message});
  const std::string& token = loaded->config.security.token_file;
  if (token.starts_with(loaded->home + "/")) {
    const Status made = platform::create_private_directory(loaded->home);
    if (!made) return fail(streams, made.error());
  }
  return write_token(streams, token);
}

}  // namespace

int init_program(std::span<const std::string> words, const std::vector<std::string>& environment, Streams streams) {
  if (!words.empty() && words[0] == "service") return init_service(words.subspan(1), environment, streams);
  const auto line = parse_options(kOptions, words);
  if (!line) return fail(streams, line.error());
  if (!line->rest.empty()) {
    return fail(streams, {Errc::invalid_argument, "'" + line->rest[0] + "': expected options only (see --help)"});
  }
  if (line->has("help")) {
    streams.out << kHelp << describe_options(kOptions);
  } else if (line->has("version")) {
    streams.out << "hakuriver.init " HAKURIVER_VERSION "\n";
  } else if (line->has("print")) {
    streams.out << default_config_text();
  } else if (line->has("config") && line->has("output")) {
    return fail(streams, {Errc::invalid_argument, "--config and --output do not go together"});
  } else if (const auto* config = line->find("config")) {
    return write_token_of(streams, config->value, environment);
  } else if (const auto* output = line->find("output")) {
    return write_config(streams, output->value);
  } else {
    return write_all(streams, environment);
  }
  streams.out.flush();
  return streams.out.good() ? kExitGood : kExitFailed;
}

}  // namespace hakuriver::cli
