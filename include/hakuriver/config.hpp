// The configuration: one TOML file for all programs, environment variables and flags over it.
//
//   const auto loaded = load_config({.config_file = "cluster.toml", .environment = {"HOME=/home/me"}});
//   if (!loaded) return loaded.error();
//   serve(loaded->config.network.host_port);
//
// A flag wins over the environment, that over the file, that over the default. Without any file and variable
// everything works on one machine: files are below ~/.hakuriver, addresses are loopback ones.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hakuriver/result.hpp"

namespace hakuriver {
inline namespace v1 {

// Every value is checked and ready for use. Paths are absolute, or empty where that has a meaning of its own.
struct Config {
  struct Network {
    std::string host_bind_ip = "127.0.0.1";            // where the host listens: an IP address
    std::uint16_t host_port = 8000;                    // 0: the system chooses
    std::string host_reachable_address = "127.0.0.1";  // how runners and clients reach the host: a name or an address
    std::string host_url;        // the same as a URL; made of the two above where it is not set. HAKURIVER_HOST sets it
    std::string runner_address;  // what a runner announces as its address; nobody needs to reach it. May be empty
    std::optional<std::uint16_t> runner_port;  // where a runner answers reads; none: it does not listen
    std::uint16_t host_ssh_proxy_port = 8002;
    bool operator==(const Network&) const = default;
  };
  struct Paths {
    std::string shared_dir;      // the same files at the same path on host and runners; <home>/shared
    std::string local_temp_dir;  // a node's own scratch space; <home>/tmp
    std::string numactl_path;    // a path, or a name looked up on PATH; empty: numactl from PATH
    std::string host_log_file;   // empty: standard error
    std::string runner_log_file;
    std::string state_dir;  // what a runner and its keeper must remember; on a local disk; <home>/state
    bool operator==(const Paths&) const = default;
  };
  struct Database {
    std::string db_file;                                                                   // <home>/hakuriver.db
    std::optional<std::chrono::milliseconds> keep_finished = std::chrono::hours{24 * 30};  // none: for ever
    bool operator==(const Database&) const = default;
  };
  struct Timing {
    std::chrono::milliseconds heartbeat_interval{5000};
    std::uint32_t heartbeat_timeout_factor = 6;  // a node is offline after so many silent intervals
    std::chrono::milliseconds cleanup_check_interval{10'000};
    std::chrono::milliseconds resource_check_interval{1000};  // between two readings of a node's health
    std::optional<std::chrono::milliseconds> forget_after;    // a silent node's tasks fail; none: never
    std::chrono::milliseconds kill_grace{10'000};             // from TERM to KILL
    bool operator==(const Timing&) const = default;
  };
  struct Environment {
    std::string runner_user;                 // whom tasks run as; empty: as the runner itself
    std::vector<std::string> allowed_users;  // whom they may ask to run as besides; "*": anybody but root
    bool operator==(const Environment&) const = default;
  };
  struct Docker {
    std::string container_dir = "hakuriver-containers";  // below shared_dir
    std::string default_container_name;                  // for tasks that name none; empty, "NULL": no container
    std::string initial_base_image = "python:3.12.10-alpine3.21";
    std::uint32_t keep_versions = 2;             // of an environment on a node; 0: all
    bool tasks_privileged = false;               // what a submission that does not say gets
    std::vector<std::string> additional_mounts;  // "HOST:CONTAINER[:OPTIONS]", where a submission does not say
    // Whether a submission may ask for it, and below which directories of the node it may mount. None: all of it where
    // submitters hold the token, nothing where there is none.
    std::optional<bool> allow_privileged;
    std::optional<std::vector<std::string>> allow_mounts;
    bool operator==(const Docker&) const = default;
  };
  struct Runner {
    std::string name;                           // the node's; empty: its host name
    std::optional<std::uint64_t> millicores;    // key "cores"; none: as detected
    std::optional<std::uint64_t> memory_bytes;  // key "memory"; none: as detected
    std::optional<std::uint32_t> max_tasks;     // at once; none: 16 for each core
    std::string launcher = "auto";              // auto, systemd, docker, cgroup, plain or none
    bool operator==(const Runner&) const = default;
  };
  struct Security {
    std::string auth = "token";                // token or none
    std::string token_file;                    // <home>/token. HAKURIVER_TOKEN_FILE sets it too
    std::vector<std::string> allowed_hosts;    // further values of Host that browsers may send
    std::vector<std::string> allowed_origins;  // further values of Origin
    std::string tls_certificate;               // PEM; both or neither of the two
    std::string tls_key;
    bool operator==(const Security&) const = default;
  };

  Network network;
  Paths paths;
  Database database;
  Timing timing;
  Environment environment;
  Docker docker;
  Runner runner;
  Security security;
  bool operator==(const Config&) const = default;
};

// Where environments are packaged (hakuriver/environment.hpp): [docker] container_dir, below shared_dir.
inline std::string package_directory(const Config& config) {
  const std::string& directory = config.docker.container_dir;
  return directory.starts_with('/') ? directory : config.paths.shared_dir + "/" + directory;
}

// One value from the command line.
struct ConfigFlag {
  std::string key;   // "network.host_port"
  std::string text;  // as given; lists are separated by commas
  std::string flag;  // what errors call it: "--port"
};

// Where a configuration comes from. Nothing else is looked at but the files named here and, where HOME is missing, the
// user's entry in the password database.
struct ConfigSources {
  std::string config_file{};               // --config; empty: not given
  std::vector<ConfigFlag> flags{};         // later ones win
  std::vector<std::string> environment{};  // "NAME=value" each, as the process has it
};

struct LoadedConfig {
  Config config;
  std::string file;                   // which one was read; empty: none
  std::string home;                   // HAKURIVER_HOME or ~/.hakuriver, absolute; it need not exist
  std::vector<std::string> warnings;  // one line each, "FILE:LINE: ...": keys that are accepted and have no effect
};

// The file is config_file, else $HAKURIVER_CONFIG, else $HAKURIVER_HOME/config.toml; only the last may be missing, the
// others are Errc::not_found then. Variables are HAKURIVER_<SECTION>_<KEY>, such as HAKURIVER_NETWORK_HOST_PORT, and
// HAKURIVER_HOST and HAKURIVER_TOKEN_FILE. An empty one counts as not set; other HAKURIVER_* are ignored, since tasks
// are given some. A value, key or section that is wrong is Errc::parse, one line that begins with FILE:LINE or the
// name of the variable or flag. Relative paths count from the file's directory, or else from the working directory;
// "~/" is the home directory. At most 1 MiB of file. Nothing is created.
Result<LoadedConfig> load_config(const ConfigSources& sources);

// The commented file that `hakuriver.init` writes: every key with its default.
std::string_view default_config_text() noexcept;

}  // namespace v1
}  // namespace hakuriver
