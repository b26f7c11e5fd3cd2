// What the commands are born with.
#pragma once

#include <signal.h>
#include <sys/resource.h>

#include <optional>
#include <string>
#include <vector>

#include "hakuriver/run_options.hpp"

namespace hakuriver::engine {

struct ChildDefaults {
  std::vector<std::string> environment;  // "NAME=value", each name once
  std::string working_directory;         // empty: ours
  std::optional<int> nice;               // none: ours
  sigset_t signal_mask{};
  rlimit open_files{};

  // This process and the calling thread, with what the options change.
  static ChildDefaults of_this_process(const ChildOptions& options = {});
};

// Puts "NAME=value" in place of the same variable, or behind the others.
void set_variable(std::vector<std::string>& environment, const std::string& entry);

}  // namespace hakuriver::engine
