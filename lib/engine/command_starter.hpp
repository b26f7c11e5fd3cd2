// Turns a command of a plan into what Spawner needs, and starts it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/local.hpp"
#include "engine/spawn.hpp"
#include "engine/start_failure.hpp"
#include "hakuriver/plan.hpp"

namespace hakuriver::engine {

struct ChildOutput {
  int stdout_fd;
  int stderr_fd;
};

class CommandStarter {
 public:
  // `stdin_fd` is what the commands read, 3 or above, and stays open.
  CommandStarter(const ChildDefaults& defaults, int stdin_fd);

  std::variant<Spawned, StartFailure> start(const Command& command, ChildOutput output);

 private:
  void set_environment(const Command& command);
  std::optional<std::string> find_path(const Command& command);
  std::string_view path_variable() const;

  const ChildDefaults& defaults_;
  int stdin_fd_;
  Spawner spawner_;
  // Kept between starts, for commands that are alike.
  std::vector<char*> environment_;
  bool environment_is_default_ = false;
  std::vector<char*> argv_;
  std::string found_name_;
  std::string found_path_;
};

}  // namespace hakuriver::engine
