#include "cli/runner_program.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <ostream>
#include <string_view>
#include <thread>
#include <utility>

#include "cli/cluster_token.hpp"
#include "cli/exit_status.hpp"
#include "cli/hakurun_signals.hpp"
#include "cli/listen_address.hpp"
#include "cli/options.hpp"
#include "cli/runner_dry_run.hpp"
#include "cli/table.hpp"
#include "doors/runner_setup.hpp"
#include "hakuriver/config.hpp"
#include "hakuriver/runner.hpp"
#include "hakuriver/version.hpp"
#include "http/url.hpp"
#include "platform/descriptor.hpp"
#include "platform/files.hpp"
#include "platform/identity.hpp"
#include "platform/log.hpp"

namespace hakuriver::cli {
namespace {

constexpr std::string_view kDryRun = "Shown, not run, for a task with these options";

constexpr Option kOptions[] = {
    {.name = "config", .letter = 'c', .value = "FILE", .help = "the configuration instead of ~/.hakuriver/config.toml"},
    {.name = "name", .value = "NAME", .help = "the node's name instead of the machine's host name"},
    {.name = "host", .value = "URL", .help = "the host, such as http://10.0.0.1:8000"},
    {.name = "listen",
     .value = "ADDR:PORT",
     .help = "answer reads there (health, tasks); without it, the runner listens nowhere"},
    {.name = "launcher",
     .value = "NAME",
     .help = "how tasks are started: auto, systemd, cgroup, plain, or none (for benchmarks)"},
    {.name = "stop-tasks", .help = "end the tasks that run here when the runner is asked to stop"},
    {.name = "version", .help = "print the version"},
    {.name = "help", .letter = 'h', .help = "print this"},
    {.name = "dry-run",
     .help = "print the command lines that would stand for the command behind '--', and do nothing",
     .group = kDryRun},
    {.name = "cores", .value = "N", .help = "logical CPUs", .group = kDryRun},
    {.name = "memory", .value = "SIZE", .help = "such as 8G", .group = kDryRun},
    {.name = "numa", .value = "N", .help = "the NUMA node to be bound to", .group = kDryRun},
    {.name = "user", .value = "NAME", .help = "whom it runs as", .group = kDryRun},
    {.name = "private-network", .help = "a network of its own", .group = kDryRun},
    {.name = "private-pid", .help = "a process table of its own", .group = kDryRun},
    {.name = "container", .value = "NAME", .help = "an environment or an image", .group = kDryRun},
    {.name = "mount", .value = "DIR:DIR[:ro]", .help = "a directory for the container", .group = kDryRun},
    {.name = "privileged", .help = "a container with all rights of root", .group = kDryRun},
};

void print_help(std::ostream& out) {
  out << "Examples:\n"
         "  hakuriver.runner                        work for the host on this machine\n"
         "  hakuriver.runner --host http://10.0.0.1:8000\n"
         "  hakuriver.runner --config cluster.toml --name gpu-1\n"
         "  hakuriver.runner --dry-run --cores 2 --numa 0 -- ./solve\n"
         "  hakuriver.runner --dry-run --container python:3.12 -- python3 -V\n"
         "\n"
         "Usage: hakuriver.runner [OPTIONS]\n"
         "\n"
         "The runner offers this machine to a host and runs the tasks that the host sends.\n"
         "It connects to the host, and tries for as long as it takes. TERM and INT stop\n"
         "it: it tells the host what it knows, and running tasks go on for the next\n"
         "runner to find. A second signal stops it at once.\n"
         "\n"
      << describe_options(kOptions);
}

int fail(std::ostream& err, const std::string& message, int status = kExitUsage) {
  err << "hakuriver.runner: " << printable(message) << "\n";
  return status;
}

std::string variable(const std::vector<std::string>& environment, std::string_view name) {
  for (const std::string_view entry : environment) {
    if (entry.starts_with(name) && entry.substr(name.size()).starts_with('=')) {
      return std::string(entry.substr(name.size() + 1));
    }
  }
  return {};
}

Result<LoadedConfig> load(const CommandLine& line, const std::vector<std::string>& environment) {
  for (const std::string_view name : {"config", "name", "host"}) {
    const auto* given = line.find(name);
    if (given != nullptr && given->value.empty()) {
      return Error{Errc::invalid_argument, "--" + std::string(name) + " is empty"};
    }
  }
  ConfigSources sources;
  sources.environment = environment;
  if (const auto* file = line.find("config")) sources.config_file = file->value;
  constexpr std::pair<std::string_view, const char*> kKeys[] = {
      {"name", "runner.name"}, {"host", "network.host_url"}, {"launcher", "runner.launcher"}};
  for (const auto& [flag, key] : kKeys) {
    if (const auto* given = line.find(flag)) sources.flags.push_back({key, given->value, "--" + std::string(flag)});
  }
  return load_config(sources);
}

// What others are told may be an address that this machine does not have, as behind a translating router.
std::string address_for_port(const std::string& announced, bool has_token) {
  if (announced.empty()) return "127.0.0.1";
  if (platform::is_loopback_address(announced) || platform::is_own_address(announced)) return announced;
  return has_token ? "0.0.0.0" : "127.0.0.1";
}

Status set_listen(RunnerOptions& options, const CommandLine& line, const Config& config) {
  const auto& network = config.network;
  if (const auto* given = line.find("listen")) {
    const auto listen = parse_listen(given->value);
    if (!listen) return listen.error();
    options.listen_address = listen->host;
    options.listen_port = listen->port;
  } else if (network.runner_port) {
    options.listen_port = network.runner_port;
    options.listen_address = address_for_port(network.runner_address, !options.token.empty());
  }
  const bool has_address = options.listen_port && *options.listen_port != 0 && !network.runner_address.empty();
  if (has_address) options.announced_url = http::to_string({network.runner_address, *options.listen_port, ""});
  return Unit{};
}

// A client in a task finds configuration and token where this runner did. Only paths: the token stays in its file.
std::vector<std::pair<std::string, std::string>> paths_for_tasks(const LoadedConfig& loaded, bool has_config_flag,
                                                                 const std::vector<std::string>& environment) {
  std::vector<std::pair<std::string, std::string>> variables;
  if (!variable(environment, "HAKURIVER_HOME").empty()) variables.emplace_back("HAKURIVER_HOME", loaded.home);
  if (has_config_flag || !variable(environment, "HAKURIVER_CONFIG").empty()) {
    variables.emplace_back("HAKURIVER_CONFIG", loaded.file);
  }
  const std::string& token = loaded.config.security.token_file;
  if (token != loaded.home + "/token") variables.emplace_back("HAKURIVER_TOKEN_FILE", token);
  return variables;
}

RunnerOptions options_from(const LoadedConfig& loaded, const std::vector<std::string>& environment) {
  const Config& config = loaded.config;
  RunnerOptions options;
  options.name = config.runner.name;
  options.host_url = config.network.host_url;
  options.home = loaded.home;
  options.state_dir = config.paths.state_dir;
  options.shared_dir = config.paths.shared_dir;
  options.local_temp_dir = config.paths.local_temp_dir;
  options.package_dir = package_directory(config);
  options.keep_versions = config.docker.keep_versions;
  options.launcher = config.runner.launcher;
  options.keeper_program = variable(environment, "HAKURIVER_KEEPER");
  if (!config.paths.numactl_path.empty()) options.numactl = config.paths.numactl_path;
  options.runner_user = config.environment.runner_user;
  options.allowed_users = config.environment.allowed_users;
  const bool trusts = config.security.auth != "none";
  options.allow_privileged = config.docker.allow_privileged.value_or(trusts) || config.docker.tasks_privileged;
  options.additional_mounts = config.docker.additional_mounts;
  options.allow_mounts = config.docker.allow_mounts;
  if (!options.allow_mounts && !trusts) options.allow_mounts.emplace();
  options.millicores = config.runner.millicores;
  options.memory_bytes = config.runner.memory_bytes;
  options.max_tasks = config.runner.max_tasks;
  options.kill_grace = config.timing.kill_grace;
  return options;
}

Result<std::shared_ptr<LogSink>> open_log(const Config& config) {
  if (config.paths.runner_log_file.empty()) {
    return std::shared_ptr<LogSink>(std::make_shared<platform::StderrLogSink>());
  }
  auto file = platform::FileLogSink::open(config.paths.runner_log_file);
  if (!file) return Error{file.error().code, "runner_log_file: " + file.error().message};
  return std::shared_ptr<LogSink>(std::move(*file));
}

// The first signal asks it to stop in good order, any further one at once.
void pass_signals_on(const SignalWatch& signals, Runner& runner, RunnerStop how, int over) {
  RunnerStop wish = how;
  std::array<pollfd, 2> files{{{signals.descriptor(), POLLIN, 0}, {over, POLLIN, 0}}};
  while (files[1].revents == 0) {
    if (::poll(files.data(), files.size(), -1) < 0) continue;
    while (const auto number = signals.next()) {
      if (*number == SIGTSTP) {
        SignalWatch::stop_this_process();
        continue;
      }
      runner.stop(wish);
      wish = RunnerStop::at_once;
    }
  }
}

// Serves until a signal comes. `signals` is older than every thread, so that all of them leave signals to it.
int serve(const SignalWatch& signals, Runner& runner, RunnerStop how, std::ostream& err) {
  const platform::Descriptor over(::eventfd(0, EFD_CLOEXEC));
  Status served = Unit{};
  std::thread serving([&] {
    served = runner.serve();
    ::eventfd_write(over.get(), 1);
  });
  pass_signals_on(signals, runner, how, over.get());
  serving.join();
  return served ? kExitGood : fail(err, served.error().message, exit_of(served.error().code));
}

// The token is made where there is none yet, in our own directory if need be.
Result<std::string> own_token(const LoadedConfig& loaded) {
  if (loaded.config.security.auth != "none" && loaded.config.security.token_file.starts_with(loaded.home + "/")) {
    if (const auto made = platform::create_private_directory(loaded.home); !made) return made.error();
  }
  return cluster_token(loaded.config, true);
}

int run(const CommandLine& line, const std::vector<std::string>& environment, Streams streams) {
  const auto loaded = load(line, environment);
  if (!loaded) return fail(streams.err, loaded.error().message);
  for (const auto& warning : loaded->warnings) streams.err << "hakuriver.runner: " << printable(warning) << "\n";
  RunnerOptions options = options_from(*loaded, environment);
  options.task_variables = paths_for_tasks(*loaded, line.has("config"), environment);
  auto token = own_token(*loaded);
  if (!token) return fail(streams.err, token.error().message);
  options.token = std::move(*token);
  if (const auto set = set_listen(options, line, loaded->config); !set) return fail(streams.err, set.error().message);
  auto log = open_log(loaded->config);
  if (!log) return fail(streams.err, log.error().message);
  const SignalWatch signals;
  auto runner = Runner::open(options, *log);
  if (!runner) return fail(streams.err, runner.error().message);
  (*log)->info("runner '" + (*runner)->name() + "' looks for the host at " + options.host_url);
  if ((*runner)->port() != 0) {
    (*log)->info("listening on " + options.listen_address + ":" + std::to_string((*runner)->port()));
  }
  const auto how = line.has("stop-tasks") ? RunnerStop::end_tasks : RunnerStop::leave_tasks;
  const int status = serve(signals, **runner, how, streams.err);
  (*log)->info("runner '" + (*runner)->name() + "' stopped");
  return status;
}

int dry_run(const CommandLine& line, const std::vector<std::string>& environment, Streams streams) {
  const auto loaded = load(line, environment);
  if (!loaded) return fail(streams.err, loaded.error().message);
  const RunnerOptions options = options_from(*loaded, environment);
  DryRunPlace place;
  place.has_systemd = ::access("/run/systemd/system", F_OK) == 0;  // sd_booted(3)
  place.is_root = ::geteuid() == 0;
  // Beside the keeper; where there is none, its name says what is meant.
  const auto keeper = doors::find_keeper(options);
  place.exec = (keeper ? keeper->substr(0, keeper->rfind('/') + 1) : std::string()) + "hakuriver-exec";
  const auto lines = build_dry_run(line, options, place);
  if (!lines) return fail(streams.err, lines.error().message, exit_of(lines.error().code));
  for (const auto& argv : *lines) streams.out << shell_quote(argv) << "\n";
  return kExitGood;
}

}  // namespace

int runner_program(std::span<const std::string> words, const std::vector<std::string>& environment, Streams streams) {
  const auto line = parse_options(kOptions, words);
  if (!line) return fail(streams.err, line.error().message);
  if (line->has("help")) {
    print_help(streams.out);
    return kExitGood;
  }
  if (line->has("version")) {
    streams.out << "hakuriver.runner " HAKURIVER_VERSION "\n";
    return kExitGood;
  }
  if (line->has("dry-run")) return dry_run(*line, environment, streams);
  for (const auto& option : kOptions) {
    if (option.group != kDryRun || !line->has(option.name)) continue;
    return fail(streams.err, "--" + std::string(option.name) + " is for --dry-run only");
  }
  if (!line->rest.empty()) return fail(streams.err, "'" + line->rest[0] + "': expected options only (see --help)");
  return run(*line, environment, streams);
}

}  // namespace hakuriver::cli
