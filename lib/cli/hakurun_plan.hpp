// The combinations of a sweep as what is to be executed for them.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "cli/hakurun_program.hpp"
#include "hakuriver/command_sweep.hpp"
#include "hakuriver/plan.hpp"
#include "hakuriver/run_options.hpp"
#include "hakuriver/word_template.hpp"

namespace hakuriver::cli {

// The variables and the directory of commands, where they differ between commands.
class ChildTexts {
 public:
  // Takes from `children` what has placeholders: the directory, and all variables as soon as one of them has.
  ChildTexts(const CommandSweep& sweep, ChildOptions& children);

  bool is_empty() const noexcept { return environment_.empty() && working_directory_.empty(); }

  // Sets them for the i-th combination. The command's argv is there already.
  void set(const CommandSweep& sweep, std::uint64_t i, Command& command) const;

 private:
  std::vector<WordTemplate> environment_;
  WordTemplate working_directory_;
};

class HakurunPlan : public Plan {
 public:
  // In a shell plan the sweep's words are text for `sh -c`, and no program is looked up. The sweep and the finder must
  // outlive the plan.
  HakurunPlan(const CommandSweep& sweep, ProgramFinder& programs, bool shell, ChildTexts texts)
      : sweep_(sweep), programs_(programs), shell_(shell), texts_(std::move(texts)) {}

  std::uint64_t size() const override { return sweep_.size(); }
  Command at(std::uint64_t i) const override;

 private:
  void make_argv(std::uint64_t i, Command& command) const;
  void make_shell_argv(std::uint64_t i, Command& command) const;

  const CommandSweep& sweep_;
  ProgramFinder& programs_;
  bool shell_;
  ChildTexts texts_;
};

// The command as its user would type it: one line.
std::string command_line(const CommandSweep& sweep, bool shell, std::uint64_t i);

}  // namespace hakuriver::cli
