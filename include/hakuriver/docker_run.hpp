// Command lines of `docker create`, and of `podman create`, which takes the same words.
//
//   Container container{.name = "hakuriver-task-7", .image = "hakuriver/my-env:base", .millicores = 2000};
//   build_docker_create({}, container, {"python", "a b.py"})
//     -> docker create --name=hakuriver-task-7 --init --network=host --cap-add=SYS_NICE --cpus=2
//        --ulimit=core=0 --pull=never --log-driver=none hakuriver/my-env:base python "a b.py"
//
// `docker run` would make and start in one: whoever lost its answer would not know whether the command has begun.
//
// Variables are passed by name: their values are those of the client's own environment, for a command line can be read
// by everybody on a machine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hakuriver/argv.hpp"
#include "hakuriver/result.hpp"

namespace hakuriver {
inline namespace v1 {

// A directory or file of the node as a container sees it. Both paths are absolute.
struct Mount {
  std::string source{};
  std::string target{};
  bool read_only = false;
  bool operator==(const Mount&) const = default;
};

// Whether the path is the directory or in it, by name. Both are absolute, without "..", and end in no slash but that of
// the root.
inline bool is_below(const std::string& path, const std::string& directory) {
  return directory == "/" || path == directory || path.starts_with(directory + "/");
}

// How the client program is called.
struct DockerClient {
  std::string program = "docker";  // or podman; a path, or a name that is looked up on PATH
  Argv in_front{};                 // such as {"sudo", "-n"}
  std::string host{};  // of the daemon, such as "unix:///var/run/docker.sock"; empty: as the client finds it
};

// The words in front of a command of the client's. podman alone needs to be told that there is a daemon at all.
inline Argv client_words(const DockerClient& client) {
  Argv argv = client.in_front;
  argv.push_back(client.program);
  if (client.host.empty()) return argv;
  if (std::string_view(client.program).ends_with("podman")) {
    argv.insert(argv.end(), {"--remote", "--url=" + client.host});
  } else {
    argv.push_back("--host=" + client.host);
  }
  return argv;
}

// One container. What is empty or zero is left to the image or to the daemon.
struct Container {
  std::string name{};
  std::string image{};  // must be there: nothing is pulled
  std::vector<std::pair<std::string, std::string>> labels{};
  std::string user{};                          // "UID:GID"
  std::vector<std::uint32_t> groups{};         // supplementary ones
  std::string working_directory{};             // as seen inside; an engine makes it where it is missing
  std::string network = "host";                // or "none"
  std::uint64_t millicores = 0;                // 0: no limit
  std::uint64_t memory_bytes = 0;              // 0: no limit; with one there is no swap
  std::vector<std::uint32_t> cpus{};           // of a NUMA node; empty: all
  std::optional<std::uint32_t> memory_node{};  // the NUMA node that memory comes from
  std::vector<Mount> mounts{};
  std::vector<std::string> variables{};     // names, see above
  std::string variable_file{};              // "NAME=value" lines for those that would change the client; may be empty
  std::optional<std::string> entrypoint{};  // instead of the image's own
  bool privileged = false;
  bool no_new_privileges = false;
};

// "1.5" for 1500.
inline std::string decimal_cores(std::uint64_t millicores) {
  std::string text = std::to_string(millicores / 1000);
  std::string decimals = std::to_string(1000 + millicores % 1000).substr(1);
  while (!decimals.empty() && decimals.back() == '0') decimals.pop_back();
  return decimals.empty() ? text : text + "." + decimals;
}

// "0-3,8" for 0, 1, 2, 3 and 8, which are ascending: the list format of cpuset(7).
inline std::string cpuset_list(const std::vector<std::uint32_t>& cpus) {
  std::string text;
  for (std::size_t i = 0; i < cpus.size();) {
    std::size_t last = i;
    while (last + 1 < cpus.size() && cpus[last + 1] == cpus[last] + 1) ++last;
    if (!text.empty()) text += ',';
    text += std::to_string(cpus[i]);
    if (last != i) text += "-" + std::to_string(cpus[last]);
    i = last + 1;
  }
  return text;
}

// "/data:/container/data" or "/data:/container/data:ro" (or ":rw"). A path with a colon cannot be written this way.
inline Result<Mount> parse_mount(std::string_view text) {
  const auto first = text.find(':');
  const auto second = first == std::string_view::npos ? first : text.find(':', first + 1);
  const auto option = second == std::string_view::npos ? std::string_view("rw") : text.substr(second + 1);
  Mount mount{std::string(text.substr(0, first)), {}, option == "ro"};
  if (first != std::string_view::npos) mount.target = text.substr(first + 1, second - first - 1);
  const std::string quoted = "'" + std::string(text.substr(0, 256)) + "'";
  if (!mount.source.starts_with('/') || !mount.target.starts_with('/') || (option != "ro" && option != "rw")) {
    return Error{Errc::parse, quoted + ": expected /DIR/OF/NODE:/DIR/IN/CONTAINER, with :ro if it is only read"};
  }
  if ((mount.target + "/").find("/../") != std::string::npos) {
    return Error{Errc::parse, quoted + ": expected a directory in the container without '..'"};
  }
  if (is_below(mount.target, "/.hakuriver")) {
    return Error{Errc::parse, quoted + ": /.hakuriver in the container is not free"};
  }
  return mount;
}

namespace docker_run_detail {

// --mount takes one line of CSV (RFC 4180), so that any path can be written.
inline std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string field = "\"";
  for (const char c : text) field.append(c == '"' ? 2u : 1u, c);
  return field + '"';
}

inline std::string mount_words(const Mount& mount) {
  std::string words = "type=bind," + csv_field("source=" + mount.source) + "," + csv_field("target=" + mount.target);
  return mount.read_only ? words + ",readonly" : words;
}

inline void add_limits(Argv& argv, const Container& container) {
  if (container.millicores != 0) argv.push_back("--cpus=" + decimal_cores(container.millicores));
  if (container.memory_bytes != 0) {
    const std::string bytes = std::to_string(container.memory_bytes) + "b";
    argv.push_back("--memory=" + bytes);
    argv.push_back("--memory-swap=" + bytes);  // of memory and swap together
  }
  if (!container.cpus.empty()) argv.push_back("--cpuset-cpus=" + cpuset_list(container.cpus));
  if (container.memory_node) argv.push_back("--cpuset-mems=" + std::to_string(*container.memory_node));
}

inline void add_rights(Argv& argv, const Container& container) {
  // Binding memory to a NUMA node takes this one right more than containers have.
  argv.emplace_back(container.privileged ? "--privileged" : "--cap-add=SYS_NICE");
  if (container.no_new_privileges) argv.emplace_back("--security-opt=no-new-privileges");
  if (!container.user.empty()) argv.push_back("--user=" + container.user);
  for (const auto group : container.groups) argv.push_back("--group-add=" + std::to_string(group));
}

inline void add_world(Argv& argv, const Container& container) {
  if (!container.working_directory.empty()) argv.push_back("--workdir=" + container.working_directory);
  for (const auto& mount : container.mounts) argv.insert(argv.end(), {"--mount", mount_words(mount)});
  for (const auto& name : container.variables) argv.insert(argv.end(), {"--env", name});
  if (!container.variable_file.empty()) argv.push_back("--env-file=" + container.variable_file);
}

}  // namespace docker_run_detail

// Makes a container, which `docker start NAME` starts, and prints its id. The container stays when it has ended, so
// that it can be asked how.
inline Argv build_docker_create(const DockerClient& client, const Container& container, const Argv& command) {
  Argv argv = client_words(client);
  argv.insert(argv.end(), {"create", "--name=" + container.name});
  for (const auto& [name, value] : container.labels) argv.push_back("--label=" + name + "=" + value);
  argv.insert(argv.end(), {"--init", "--network=" + container.network});
  docker_run_detail::add_rights(argv, container);
  docker_run_detail::add_limits(argv, container);
  docker_run_detail::add_world(argv, container);
  argv.insert(argv.end(), {"--ulimit=core=0", "--pull=never", "--log-driver=none"});
  if (container.entrypoint) argv.push_back("--entrypoint=" + *container.entrypoint);
  argv.push_back(container.image);
  argv.insert(argv.end(), command.begin(), command.end());
  return argv;
}

}  // namespace v1
}  // namespace hakuriver
