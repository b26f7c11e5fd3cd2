// The client's command line, read and checked before anything is sent.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "hakuriver/ids.hpp"
#include "hakuriver/result.hpp"
#include "hakuriver/submit_request.hpp"

namespace hakuriver::cli {

enum class ClientAction : std::uint8_t {
  submit,
  show_help,
  show_version,
  show_status,
  show_stdout,
  show_stderr,
  kill,
  kill_pending,
  pause,
  resume,
  wait_for,
  list_tasks,
  list_nodes,
  show_health,
  drain,
  undrain,
  forget_node,
  submit_sweep,
  follow_batch,
};

// Which tasks to list.
struct TaskFilter {
  std::string state{};
  std::string node{};
  std::optional<std::uint64_t> batch{};
  std::string name{};
  std::uint64_t limit = 100;
  std::optional<std::uint64_t> before{};  // ids below this
};

struct ClientOptions {
  ClientAction action = ClientAction::submit;
  std::vector<std::uint64_t> ids{};  // of tasks or batches, for the actions that take them
  std::string node{};                // for the actions on nodes; empty: every node

  SubmitRequest request{};  // to submit, without its submission id
  bool waits = false;

  std::string sweep_file{};  // "-": standard input
  bool fetches_outputs = false;

  bool follows = false;
  std::optional<std::uint64_t> tail{};  // lines
  TaskFilter filter{};

  std::string config_file{};  // empty: the usual one
  std::string host_url{};     // empty: from the environment or the configuration
  bool prints_json = false;
  bool is_quiet = false;
};

// Errc::invalid_argument or Errc::parse, in one line, for a command line that can never be right. `words` is without
// the program's name; none at all asks for help.
Result<ClientOptions> parse_client_options(std::span<const std::string> words);

std::string client_help();

}  // namespace hakuriver::cli
