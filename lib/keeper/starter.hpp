// One attempt, from its request to its running main process.
#pragma once

#include <sys/resource.h>

#include <optional>
#include <string>

#include "hakuriver/keeper.hpp"
#include "keeper/cgroup.hpp"
#include "keeper/spawn.hpp"

namespace hakuriver::keeper {

// Why an attempt has no process: exited with 126 or 127 where the command is to blame, never_started where the node is.
struct StartFailure {
  Outcome outcome;
  std::string message;
};

class Starter {
 public:
  // `open_files`: the limit that every task gets.
  explicit Starter(const rlimit& open_files) : open_files_(open_files) {}

  // Creates the output files and starts the command. Where the node is to blame, the files are removed again.
  // `cgroup` has been made, or is none. `report`: what becomes descriptor 3; -1: nothing.
  std::optional<StartFailure> start(const StartRequest& request, const Cgroup& cgroup, int report, Spawned& spawned);

 private:
  std::optional<StartFailure> launch(const StartRequest& request, SpawnPlan plan, Spawned& spawned);

  rlimit open_files_;
  Spawner spawner_;
};

// What a launching program that fails with this errno makes of its attempt.
Outcome outcome_of_start_error(int error);

// The path that a command's first word means, as execvp finds it, on the PATH in `environment` and relative to
// `directory`. Empty: not found; `found_unusable` then tells of a file that may not be executed.
std::string find_program(const std::string& word, const std::vector<std::string>& environment,
                         const std::string& directory, std::string& found_unusable);

}  // namespace hakuriver::keeper
