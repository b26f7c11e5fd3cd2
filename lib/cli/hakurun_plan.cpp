#include "cli/hakurun_plan.hpp"

#include <utility>
#include <vector>

namespace hakuriver::cli {

Command HakurunPlan::at(std::uint64_t i) const {
  Command command;
  if (shell_) {
    make_shell_argv(i, command);
  } else {
    make_argv(i, command);
  }
  command.parameters = sweep_.parameters_at(i);
  command.name = name_of(command.parameters);
  return command;
}

// A program that varies and is not there is left to the start, which fails.
void HakurunPlan::make_argv(std::uint64_t i, Command& command) const {
  const auto values = sweep_.values_at(i);
  const auto& found = programs_.find(values.front().text);
  const Program program = found ? *found : Program{Program::Kind::executable, values.front().text, {}, {}};
  command.argv = build_argv(program, values);

  const bool is_executable = program.kind == Program::Kind::executable;
  const std::size_t words_before = command.argv.size() - values.size();
  const std::size_t letters_before = program.kind == Program::Kind::function ? 1 : 0;  // the type of the value
  for (const SlotPlace& place : sweep_.slot_places_at(i)) {
    if (place.word == 0 && !is_executable) continue;
    command.slot_places.push_back({place.word + words_before, place.offset + letters_before});
  }
}

void HakurunPlan::make_shell_argv(std::uint64_t i, Command& command) const {
  std::vector<std::size_t> slots;
  std::string line = sweep_.shell_line_at(i, &slots);
  command.argv = {"/bin/sh", "-c", std::move(line)};
  for (const std::size_t offset : slots) command.slot_places.push_back({2, offset});
}

std::string command_line(const CommandSweep& sweep, bool shell, std::uint64_t i) {
  return shell ? sweep.shell_line_at(i) : shell_quote(sweep.at(i));
}

}  // namespace hakuriver::cli
