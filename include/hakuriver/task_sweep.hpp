// A batch whose tasks differ: each runs one combination of a sweep. The batch holds the axes, never the commands.
//
//   auto tasks = TaskSweep::make(sweep, {.shuffle = true, .seed = 7});
//   tasks->size()             how many tasks the batch has
//   tasks->combination(3)     which combination of the sweep its fourth task runs
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
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

// Constant once made: any thread may read it.
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
    TaskSweep sweep(std::move(commands), options, std::move(places));
    const std::uint64_t chosen = sweep.selection_.size();
    std::uint64_t tasks = 0;
    for (const auto& range : sweep.places_) {
      if (range.count == 0 || range.first >= chosen || range.count > chosen - range.first) {
        return wrong("must have places within its " + std::to_string(chosen) + " chosen combinations, not " +
                     std::to_string(range.count) + " from " + std::to_string(range.first));
      }
      tasks += std::min(range.count, ~std::uint64_t{0} - tasks);
      sweep.ends_.push_back(tasks);
    }
    sweep.size_ = sweep.places_.empty() ? chosen : tasks;
    if (sweep.size_ == 0) return wrong("must choose at least one combination");
    return sweep;
  }

  std::uint64_t size() const noexcept { return size_; }
  const CommandSweep& commands() const noexcept { return commands_; }
  const SelectionOptions& options() const noexcept { return options_; }
  const std::vector<PlaceRange>& places() const noexcept { return places_; }

  // task < size().
  std::uint64_t combination(std::uint64_t task) const {
    if (places_.empty()) return selection_.at(task);
    const auto range = std::upper_bound(ends_.begin(), ends_.end(), task) - ends_.begin();
    const std::uint64_t before = range == 0 ? 0 : ends_[static_cast<std::size_t>(range - 1)];
    return selection_.at(places_[static_cast<std::size_t>(range)].first + (task - before));
  }

  bool operator==(const TaskSweep& other) const {
    return commands_ == other.commands_ && options_ == other.options_ && places_ == other.places_;
  }

 private:
  TaskSweep(CommandSweep commands, const SelectionOptions& options, std::vector<PlaceRange> places)
      : commands_(std::move(commands)),
        options_(options),
        selection_(commands_.size(), options),
        places_(std::move(places)) {}

  static Error wrong(std::string message) { return {Errc::invalid_argument, std::move(message)}; }

  static bool wants_slot(const CommandSweep& commands) {
    for (const auto& word : commands.words()) {
      for (const auto& piece : word) {
        if (piece.run_word == RunWord::slot) return true;
      }
    }
    return false;
  }

  CommandSweep commands_;
  SelectionOptions options_;
  Selection selection_;
  std::vector<PlaceRange> places_;
  std::vector<std::uint64_t> ends_;  // of places_, counted in tasks
  std::uint64_t size_ = 0;
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
