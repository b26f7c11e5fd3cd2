// The command line of hakuriver-container, which is made by the runner.
//
//   hakuriver-container OPTION VALUE ... run -- COMMAND ...
//   hakuriver-container OPTION VALUE ... pause|resume|terminate|kill|finish
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "hakuriver/docker_run.hpp"
#include "hakuriver/result.hpp"

namespace hakuriver::container {

// Where an image comes from that the node does not have.
struct ImageSource {
  std::string packages{};      // the directory of packages
  std::string locks{};         // a directory of the runner's own; what many tasks miss at once is brought once
  std::string package{};       // "NAME@VERSION": the image is that package's. Empty: it is of a registry, or only here
  std::string login_client{};  // docker or podman, which knows this user's logins at registries; empty: there is none
  std::string socket{};        // of the engine that it is to ask; empty: the engine is such a program itself
  std::uint32_t keep_versions = 0;  // of the package's environment, with this one: what is older goes; 0: all stay
};

struct Options {
  std::string socket{};   // of the engine; or
  std::string program{};  // the client program that reaches it
  std::string name{};     // of the container
  std::string owner{};    // the value of its label; what has another is not ours
  std::string state{};    // the attempt's own directory

  // Only of `run`.
  Container container{};  // mounts, limits and so on; what the options have no word for is filled in later
  std::vector<Mount> limited_mounts{};      // more of them, which must lie
  std::vector<std::string> allow_mounts{};  // below one of these directories, whatever links there are
  ImageSource source{};
  std::string init{};     // where our static programs are on the node
  std::string hakurun{};  // may be empty
  std::uint32_t uid = 0;  // of the task, as in container.user
  std::uint32_t gid = 0;
  int niceness = 0;

  std::string verb{};
  Argv command{};
};

inline constexpr const char* kVerbs[] = {"run", "pause", "resume", "terminate", "kill", "finish"};

Result<Options> parse_options(const Argv& words);

// The words that parse_options reads back, without the verb: those that every verb needs, and those of `run`.
Argv build_common_words(const Options& options);
Argv build_run_words(const Options& options);

}  // namespace hakuriver::container
