// The command line of hakuriver-exec, the last program before a task's own: it makes the task's world and executes the
// command in place.
//
//   hakuriver-exec [OPTIONS] -- COMMAND...
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hakuriver/argv.hpp"
#include "hakuriver/keeper.hpp"
#include "hakuriver/result.hpp"

namespace hakuriver::launch {

struct ExecOptions {
  int report_fd = -1;         // --report-fd N: where the start is reported; -1: nowhere
  std::string report_file{};  // --report FILE: the same, opened by name, such as a FIFO
  std::string spec_file{};    // --spec FILE: environment, directory and limits; removed when it is read
  std::string stdout_file{};  // --stdout FILE, --stderr FILE: appended to, never created
  std::string stderr_file{};
  std::uint32_t outputs_of = 0;       // --outputs-of PID: output and errors go where that process's go; 0: they stay
  std::string account_file{};         // --account FILE: what was used is written there when the command has ended
  std::optional<TaskUser> user{};     // --user UID:GID[:GROUP,...]
  bool no_new_privileges = false;     // --no-new-privileges
  std::int32_t niceness = 0;          // --nice N, 0 to 19
  bool private_network = false;       // --private-network: no interface but a loopback
  bool private_pid = false;           // --private-pid: a process table of its own
  std::vector<std::uint32_t> cpus{};  // --cpus N,...: to be bound to
  std::optional<std::uint32_t> numa_node{};  // --numa-node N: whose memory to be bound to
  Argv command{};
  bool operator==(const ExecOptions&) const = default;
};

// The words behind the program's name. At least one word of a command follows "--".
Result<ExecOptions> parse_exec_options(const Argv& words);

// The words that parse_exec_options reads as these.
Argv build_exec_words(const ExecOptions& options);

}  // namespace hakuriver::launch
