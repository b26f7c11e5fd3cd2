// The command line of hakuriver.docker.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hakuriver/argv.hpp"
#include "hakuriver/result.hpp"

namespace hakuriver::cli {

enum class DockerVerb : std::uint8_t {
  show_help,
  show_version,
  create,
  start,
  stop,
  shell,
  package,
  list,
  versions,
  rollback,
  remove,          // the container
  remove_package,  // of the version
};

struct DockerOrder {
  DockerVerb verb = DockerVerb::show_help;
  std::string name{};                      // the environment's, checked; empty where none is needed
  std::string image{};                     // of create; empty: the configuration's
  std::optional<std::uint64_t> version{};  // of rollback and remove_package
  Argv command{};                          // of shell; empty: a shell
  std::string config_file{};               // empty: not given
  bool is_json = false;
  bool is_forced = false;
};

// `words` lack the program's name. What other versions of the program called its verbs is understood as well.
// Errc::invalid_argument in one line.
Result<DockerOrder> parse_docker_order(std::span<const std::string> words);

std::string docker_help();

}  // namespace hakuriver::cli
