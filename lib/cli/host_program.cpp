#include "cli/host_program.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <ostream>
#include <utility>

#include "cli/cluster_token.hpp"
#include "cli/exit_status.hpp"
#include "cli/interruption.hpp"
#include "cli/options.hpp"
#include "cli/table.hpp"
#include "environment/packages.hpp"
#include "hakuriver/config.hpp"
#include "hakuriver/host.hpp"
#include "hakuriver/version.hpp"
#include "http/guard.hpp"
#include "platform/files.hpp"
#include "platform/identity.hpp"
#include "platform/log.hpp"

namespace hakuriver::cli {

namespace {

constexpr Option kOptions[] = {
    {.name = "config", .letter = 'c', .value = "FILE", .help = "the configuration instead of ~/.hakuriver/config.toml"},
    {.name = "listen",
     .value = "ADDR:PORT",
     .help = "where to listen instead of host_bind_ip and host_port; port 0 lets the system choose"},
    {.name = "accept-restore",
     .help = "the database is an older copy: its unfinished tasks are lost until nodes list them"},
    {.name = "version", .help = "print the version"},
    {.name = "help", .letter = 'h', .help = "print this"},
};

void print_help(std::ostream& out) {
  out << "Examples:\n"
         "  hakuriver.host          listen on 127.0.0.1:8000, state in ~/.hakuriver\n"
         "  hakuriver.host --config cluster.toml\n"
         "  hakuriver.host --listen 127.0.0.1:9000\n"
         "\n"
         "Usage: hakuriver.host [OPTIONS]\n"
         "\n"
         "The host takes tasks, remembers them and has them run by the runners that\n"
         "connect to it. TERM and INT stop it; running tasks go on.\n"
         "\n"
      << describe_options(kOptions);
}

int fail(std::ostream& err, const std::string& message, int status) {
  err << "hakuriver.host: " << printable(message) << "\n";
  return status;
}

Result<HostAddress> parse_listen(const std::string& text) {
  const auto colon = text.rfind(':');
  const Error bad{Errc::invalid_argument,
                  "--listen: '" + text.substr(0, 128) + "' is not ADDR:PORT, such as 127.0.0.1:8000 or [::1]:8000"};
  if (colon == std::string::npos || colon == 0) return bad;
  std::string address = text.substr(0, colon);
  if (address.front() == '[' && address.back() == ']') address = address.substr(1, address.size() - 2);
  std::uint32_t port = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data() + colon + 1, end, port);
  if (error != std::errc{} || rest != end || port > 65535 || address.empty()) return bad;
  return HostAddress{std::move(address), static_cast<std::uint16_t>(port)};
}

// Where to listen: what --listen says, else host_bind_ip, and host_reachable_address where that is this machine's.
Result<std::vector<HostAddress>> listen_addresses(const CommandLine& line, const Config& config) {
  std::vector<HostAddress> addresses;
  if (const auto* given = line.find("listen")) {
    auto listen = parse_listen(given->value);
    if (!listen) return listen.error();
    return std::vector<HostAddress>{std::move(*listen)};
  }
  const auto& network = config.network;
  addresses.push_back({network.host_bind_ip, network.host_port});
  const bool everywhere = network.host_bind_ip == "0.0.0.0" || network.host_bind_ip == "::";
  const bool reachable_is_ours =
      !http::is_loopback(network.host_reachable_address) && platform::is_own_address(network.host_reachable_address);
  if (!everywhere && reachable_is_ours && network.host_reachable_address != network.host_bind_ip) {
    addresses.push_back({network.host_reachable_address, network.host_port});
  }
  return addresses;
}

// Our own defaults below the home directory are made; what the user named must be there.
Status prepare_paths(const LoadedConfig& loaded) {
  const auto below_home = [&loaded](const std::string& path) { return path.rfind(loaded.home + "/", 0) == 0; };
  const std::string& shared = loaded.config.paths.shared_dir;
  const std::string& database = loaded.config.database.db_file;
  if (below_home(shared) || below_home(database)) {
    Status made = platform::create_private_directory(loaded.home);
    if (!made) return made;
  }
  if (below_home(shared)) {
    Status made = platform::create_private_directory(shared);
    if (!made) return made;
  }
  if (::access(shared.c_str(), R_OK | X_OK) != 0) {
    return Error{Errc::invalid_argument, "shared_dir: '" + shared + "' is no directory that this user can read"};
  }
  const std::string directory = database.substr(0, std::max<std::size_t>(database.rfind('/'), 1));
  if (::access(directory.c_str(), W_OK | X_OK) != 0) {
    return Error{Errc::invalid_argument,
                 "db_file: '" + directory + "', for '" + database + "', is no directory that this user can write to"};
  }
  struct stat file {};
  if (::stat(database.c_str(), &file) == 0 && !S_ISREG(file.st_mode)) {
    return Error{Errc::invalid_argument, "db_file: '" + database + "' is no ordinary file"};
  }
  return Unit{};
}

// Before a task can: what it made would be refused. Where we cannot, a packager will.
void make_package_directory(const HostOptions& options, LogSink& log) {
  const auto made = environment::Packages(options.package_dir).make_directory();
  if (!made) log.warning("no packaged environments: " + made.error().message);
}

HostOptions options_from(const Config& config, std::vector<HostAddress> listen, std::string token) {
  HostOptions options;
  options.listen = std::move(listen);
  options.database = config.database.db_file;
  options.shared_dir = config.paths.shared_dir;
  options.package_dir = package_directory(config);
  options.token = std::move(token);
  options.reachable_address = config.network.host_reachable_address;
  options.allowed_hosts = config.security.allowed_hosts;
  options.allowed_origins = config.security.allowed_origins;
  options.default_container = config.docker.default_container_name;
  options.default_mounts = config.docker.additional_mounts;
  options.default_privileged = config.docker.tasks_privileged;
  const bool trusts = config.security.auth != "none";
  options.allow_privileged = config.docker.allow_privileged.value_or(trusts);
  options.allow_mounts = config.docker.allow_mounts;
  if (!options.allow_mounts && !trusts) options.allow_mounts.emplace();
  options.report_interval = config.timing.heartbeat_interval;
  options.silence = config.timing.heartbeat_interval * config.timing.heartbeat_timeout_factor;
  if (config.database.keep_finished) {
    options.keep_finished = std::chrono::duration_cast<std::chrono::seconds>(*config.database.keep_finished);
  } else {
    options.keep_finished = std::chrono::hours(24 * 365 * 100);
  }
  if (config.timing.forget_after) {
    options.forget_after = std::chrono::duration_cast<std::chrono::seconds>(*config.timing.forget_after);
  }
  return options;
}

Result<std::shared_ptr<LogSink>> open_log(const Config& config) {
  if (config.paths.host_log_file.empty()) return std::shared_ptr<LogSink>(std::make_shared<platform::StderrLogSink>());
  auto file = platform::FileLogSink::open(config.paths.host_log_file);
  if (!file) return Error{file.error().code, "host_log_file: " + file.error().message};
  return std::shared_ptr<LogSink>(std::move(*file));
}

// Serves until a signal comes.
int serve(Host& host, const HostOptions& options, Interruption& interruption, LogSink& log, std::ostream& err) {
  const Status started = host.start();
  if (!started) return fail(err, started.error().message, exit_of(started.error().code));
  const auto ports = host.ports();
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const auto& address = options.listen[i < options.listen.size() ? i : options.listen.size() - 1].address;
    log.info("listening on " + address + ":" + std::to_string(ports[i]));
  }
  interruption.wait();
  log.info("stopping");
  host.stop();
  return kExitGood;
}

}  // namespace

int host_program(std::span<const std::string> words, const std::vector<std::string>& environment, Streams streams) {
  const auto line = parse_options(kOptions, words);
  if (!line) return fail(streams.err, line.error().message, kExitUsage);
  if (line->has("help")) {
    print_help(streams.out);
    return kExitGood;
  }
  if (line->has("version")) {
    streams.out << "hakuriver.host " HAKURIVER_VERSION "\n";
    return kExitGood;
  }
  if (!line->rest.empty()) {
    return fail(streams.err, "'" + line->rest[0] + "': expected options only (see --help)", kExitUsage);
  }
  ConfigSources sources;
  sources.environment = environment;
  if (const auto* file = line->find("config")) {
    if (file->value.empty()) return fail(streams.err, "--config is empty", kExitUsage);
    sources.config_file = file->value;
  }
  const auto loaded = load_config(sources);
  if (!loaded) return fail(streams.err, loaded.error().message, kExitUsage);
  if (!loaded->config.security.tls_certificate.empty()) {
    return fail(streams.err, "tls_certificate: TLS is not there yet, and serving without it is not what was asked for",
                kExitUsage);
  }
  for (const auto& warning : loaded->warnings) streams.err << "hakuriver.host: " << printable(warning) << "\n";
  const auto listen = listen_addresses(*line, loaded->config);
  if (!listen) return fail(streams.err, listen.error().message, kExitUsage);
  const Status paths = prepare_paths(*loaded);
  if (!paths) return fail(streams.err, paths.error().message, kExitUsage);
  auto token = cluster_token(loaded->config, true);
  if (!token) return fail(streams.err, token.error().message, kExitUsage);
  auto log = open_log(loaded->config);
  if (!log) return fail(streams.err, log.error().message, kExitUsage);
  HostOptions options = options_from(loaded->config, *listen, std::move(*token));
  options.accept_restore = line->has("accept-restore");
  Interruption interruption([] {});
  make_package_directory(options, **log);
  auto host = Host::open(options, *log);
  if (!host) return fail(streams.err, host.error().message, kExitUsage);
  return serve(**host, options, interruption, **log, streams.err);
}

}  // namespace hakuriver::cli
