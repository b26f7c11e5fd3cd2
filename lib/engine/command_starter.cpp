#include "engine/command_starter.hpp"

#include <cstring>

#include "engine/program_path.hpp"

namespace hakuriver::engine {
namespace {

// execvp's list where there is no PATH (confstr _CS_PATH).
constexpr std::string_view kDefaultPath = "/bin:/usr/bin";

// Whether both are the same variable, whatever their values.
bool names_same_variable(const char* entry, std::string_view other) {
  const auto name = other.substr(0, other.find('=') + 1);
  return !name.empty() && std::strncmp(entry, name.data(), name.size()) == 0;
}

StartFailure describe(const Spawned& spawned, const std::string& directory, const std::string& path) {
  switch (spawned.failed_step) {
    case SpawnStep::execute:
      return describe_execute_failure(path, spawned.error_number);
    case SpawnStep::working_directory:
      return describe_machine_failure("cannot enter '" + directory + "'", spawned.error_number);
    case SpawnStep::clone:
      break;
  }
  return describe_machine_failure("cannot start a process", spawned.error_number);
}

}  // namespace

CommandStarter::CommandStarter(const ChildDefaults& defaults)
    : defaults_(defaults), spawner_(defaults.signal_mask, defaults.open_files) {}

// execve's parameters are not const for reasons of history only (POSIX, rationale of exec); it does not write.
void CommandStarter::set_environment(const Command& command, const std::vector<std::string>* variables) {
  if (begins_with_defaults_) {
    environment_.resize(defaults_.environment.size());
  } else {
    environment_.clear();
    for (const auto& entry : defaults_.environment) environment_.push_back(const_cast<char*>(entry.c_str()));
  }
  for (const auto& entry : command.environment) {
    auto place = environment_.begin();
    while (place != environment_.end() && !names_same_variable(*place, entry)) ++place;
    if (place == environment_.end()) place = environment_.insert(place, nullptr);
    *place = const_cast<char*>(entry.c_str());
  }
  begins_with_defaults_ = command.environment.empty();
  if (variables != nullptr) {
    for (const auto& entry : *variables) environment_.push_back(const_cast<char*>(entry.c_str()));
  }
  environment_.push_back(nullptr);
}

std::string_view CommandStarter::path_variable() const {
  constexpr std::string_view kName = "PATH=";
  for (const char* entry : environment_) {
    if (entry != nullptr && std::strncmp(entry, kName.data(), kName.size()) == 0) return entry + kName.size();
  }
  return kDefaultPath;
}

std::optional<std::string> CommandStarter::find_path(const Command& command) {
  const std::string& name = command.argv.front();
  if (name.find('/') != std::string::npos) return name;
  const bool same_place = command.environment.empty();
  if (same_place && name == found_name_) return found_path_;
  auto path = find_program(name, path_variable());
  if (path && same_place) {
    found_name_ = name;
    found_path_ = *path;
  }
  return path;
}

const std::string& CommandStarter::directory_of(const Command& command) const {
  return command.working_directory.empty() ? defaults_.working_directory : command.working_directory;
}

std::variant<Spawned, StartFailure> CommandStarter::start(const Command& command,
                                                          const std::vector<std::string>* variables,
                                                          ChildStreams streams) {
  if (command.argv.empty() || command.argv.front().empty()) return describe_not_found("");
  set_environment(command, variables);
  const auto path = find_path(command);
  if (!path) return describe_not_found(command.argv.front());

  argv_.clear();
  for (const auto& word : command.argv) argv_.push_back(const_cast<char*>(word.c_str()));
  argv_.push_back(nullptr);

  SpawnRequest request;
  request.path = path->c_str();
  request.argv = argv_.data();
  request.environment = environment_.data();
  const std::string& directory = directory_of(command);
  request.working_directory = directory.empty() ? nullptr : directory.c_str();
  request.stdin_fd = streams.stdin_fd;
  request.stdout_fd = streams.stdout_fd;
  request.stderr_fd = streams.stderr_fd;
  request.nice = defaults_.nice ? &*defaults_.nice : nullptr;
  auto spawned = spawner_.spawn(request);
  if (spawned.pid < 0) return describe(spawned, directory, *path);
  return spawned;
}

}  // namespace hakuriver::engine
