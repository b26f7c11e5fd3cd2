// A batch whose tasks differ: each runs one combination of a sweep. The batch holds the axes, never the commands.
//
//   auto tasks = TaskSweep::make(sweep, {.shuffle = true, .seed = 7});
//   tasks->size()             how many tasks the batch has
//   tasks->combination(3)     which combination of the sweep its fourth task runs
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hakuriver/command_sweep.hpp"
#include "hakuriver/result.hpp"
#include "hakuriver/selection.hpp"

namespace hakuriver {
inline namespace v1 {

inline constexpr std::size_t kMaxPlaceRanges = 100'000;

// The places first, first + 1, ... of a selection.
struct PlaceRange {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  bool operator==(const PlaceRange&) const = default;
};

// Constant once made: any thread may read it. A copy costs next to nothing.
class TaskSweep {
 public:
  // The tasks run what stands at `places` of the selection, in that order; no places: all of it. invalid_argument where
  // a place lies outside of the selection, a range is empty, there are too many, no task is left, or a word wants the
  // number of a slot: a cluster has none.
  static Result<TaskSweep> make(CommandSweep commands, const SelectionOptions& options = {},
                                std::vector<PlaceRange> places = {}) {
    if (places.size() > kMaxPlaceRanges) {
      return wrong("must have at most " + std::to_string(kMaxPlaceRanges) + " ranges of places");
    }
    if (wants_slot(commands)) return wrong("must not want the number of a slot ({%}): a cluster's tasks have none");
    Content content(std::move(commands), options, std::move(places));
    const std::uint64_t chosen = content.selection.size();
    std::uint64_t tasks = 0;
    for (const auto& range : content.places) {
      if (range.count == 0 || range.first >= chosen || range.count > chosen - range.first) {
        return wrong("must have places within its " + std::to_string(chosen) + " chosen combinations, not " +
                     std::to_string(range.count) + " from " + std::to_string(range.first));
      }
      tasks += std::min(range.count, ~std::uint64_t{0} - tasks);
      content.ends.push_back(tasks);
    }
    content.size = content.places.empty() ? chosen : tasks;
    if (content.size == 0) return wrong("must choose at least one combination");
    return TaskSweep(std::move(content));
  }

  std::uint64_t size() const noexcept { return content_->size; }
  const CommandSweep& commands() const noexcept { return content_->commands; }
  const SelectionOptions& options() const noexcept { return content_->options; }
  const std::vector<PlaceRange>& places() const noexcept { return content_->places; }

  // task < size().
  std::uint64_t combination(std::uint64_t task) const {
    if (places().empty()) return content_->selection.at(task);
    const auto& ends = content_->ends;
    const auto range = std::upper_bound(ends.begin(), ends.end(), task) - ends.begin();
    const std::uint64_t before = range == 0 ? 0 : ends[static_cast<std::size_t>(range - 1)];
    return content_->selection.at(places()[static_cast<std::size_t>(range)].first + (task - before));
  }

  bool operator==(const TaskSweep& other) const {
    return commands() == other.commands() && options() == other.options() && places() == other.places();
  }

 private:
  struct Content {
    Content(CommandSweep the_commands, const SelectionOptions& the_options, std::vector<PlaceRange> the_places)
        : commands(std::move(the_commands)),
          options(the_options),
          selection(commands.size(), the_options),
          places(std::move(the_places)) {}

    CommandSweep commands;
    SelectionOptions options;
    Selection selection;
    std::vector<PlaceRange> places;
    std::vector<std::uint64_t> ends;  // of places, counted in tasks
    std::uint64_t size = 0;
  };

  explicit TaskSweep(Content content) : content_(std::make_shared<const Content>(std::move(content))) {}

  static Error wrong(std::string message) { return {Errc::invalid_argument, std::move(message)}; }

  static bool wants_slot(const CommandSweep& commands) {
    for (const auto& word : commands.words()) {
      for (const auto& piece : word) {
        if (piece.run_word == RunWord::slot) return true;
      }
    }
    return false;
  }

  // Apart, for most specs have none, and those that have one are kept by the thousand.
  std::shared_ptr<const Content> content_;
};

// Whether sweep_variables() may have a variable of this name.
inline bool is_sweep_variable(std::string_view name) noexcept {
  return name == "HAKURUN_INDEX" || name == "HAKURUN_TOTAL" || name == "HAKURUN_NAME" ||
         name.substr(0, kParameterVariable.size()) == kParameterVariable;
}

// What the command of one combination finds in its environment, as a command of a local run does (run_sweep.hpp):
// HAKURUN_INDEX, HAKURUN_TOTAL, HAKURUN_NAME, and HAKURUN_PARAM_<name> for each parameter.
inline std::vector<std::pair<std::string, std::string>> sweep_variables(std::uint64_t combination, std::uint64_t total,
                                                                        const std::vector<Parameter>& parameters) {
  std::vector<std::pair<std::string, std::string>> variables{{"HAKURUN_INDEX", std::to_string(combination + 1)},
                                                             {"HAKURUN_TOTAL", std::to_string(total)},
                                                             {"HAKURUN_NAME", name_of(parameters)}};
  for (const auto& parameter : parameters) {
    std::string name;
    append_parameter_variable(parameter.name, name);
    variables.emplace_back(std::move(name), parameter.value.text);
  }
  return variables;
}

}  // namespace v1
}  // namespace hakuriver
