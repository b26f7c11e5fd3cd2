#include "cli/hakurun_plan.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace hakuriver::cli {
namespace {

bool is_only_text(const WordTemplate& text) { return text.size() == 1 && text.front().is_text(); }

}  // namespace

ChildTexts::ChildTexts(const CommandSweep& sweep, ChildOptions& children) {
  for (const auto& entry : children.environment) environment_.push_back(sweep.template_of(entry));
  if (std::all_of(environment_.begin(), environment_.end(), &is_only_text)) {
    environment_.clear();
  } else {
    children.environment.clear();
  }
  working_directory_ = sweep.template_of(children.working_directory);
  if (is_only_text(working_directory_)) {
    working_directory_.clear();
  } else {
    children.working_directory.clear();
  }
}

void ChildTexts::set(const CommandSweep& sweep, std::uint64_t i, Command& command) const {
  const auto fill = [&](const WordTemplate& text, std::size_t word) {
    std::vector<std::size_t> slots;
    std::string filled = sweep.fill(text, i, slots);
    for (const std::size_t offset : slots) command.slot_places.push_back({word, offset});
    return filled;
  };
  const std::size_t words = command.argv.size();
  for (const auto& entry : environment_) {
    command.environment.push_back(fill(entry, words + command.environment.size()));
  }
  if (!working_directory_.empty()) {
    command.working_directory = fill(working_directory_, words + command.environment.size());
  }
}

Command HakurunPlan::at(std::uint64_t i) const {
  Command command;
  if (shell_) {
    make_shell_argv(i, command);
  } else {
    make_argv(i, command);
  }
  command.parameters = sweep_.parameters_at(i);
  command.name = name_of(command.parameters);
  if (!texts_.is_empty()) texts_.set(sweep_, i, command);
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
