// Turns a command of a plan into what Spawner needs, and starts it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/child_defaults.hpp"
#include "engine/spawn.hpp"
#include "engine/start_failure.hpp"
#include "hakuriver/plan.hpp"

namespace hakuriver::engine {

// Each is either the number itself (0, 1, 2), or 3 and above.
struct ChildStreams {
  int stdin_fd;
  int stdout_fd;
  int stderr_fd;
};

class CommandStarter {
 public:
  // `defaults` outlives it.
  explicit CommandStarter(const ChildDefaults& defaults);

  // `variables` (or null) are added to the command's environment; the defaults do not have them.
  std::variant<Spawned, StartFailure> start(const Command& command, const std::vector<std::string>* variables,
                                            ChildStreams streams);

 private:
  void set_environment(const Command& command, const std::vector<std::string>* variables);
  std::optional<std::string> find_path(const Command& command);
  std::string_view path_variable() const;
  const std::string& directory_of(const Command& command) const;

  const ChildDefaults& defaults_;
  Spawner spawner_;
  // Kept between starts, for commands that are alike.
  std::vector<char*> environment_;
  bool begins_with_defaults_ = false;
  std::vector<char*> argv_;
  std::string found_name_;
  std::string found_path_;
};

}  // namespace hakuriver::engine
