// The combinations of a sweep as what is to be executed for them.
#pragma once

#include <cstdint>
#include <string>

#include "cli/hakurun_program.hpp"
#include "hakuriver/command_sweep.hpp"
#include "hakuriver/plan.hpp"

namespace hakuriver::cli {

class HakurunPlan : public Plan {
 public:
  // In a shell plan the sweep's words are text for `sh -c`, and no program is looked up. Both must outlive the plan.
  HakurunPlan(const CommandSweep& sweep, ProgramFinder& programs, bool shell)
      : sweep_(sweep), programs_(programs), shell_(shell) {}

  std::uint64_t size() const override { return sweep_.size(); }
  Command at(std::uint64_t i) const override;

 private:
  void make_argv(std::uint64_t i, Command& command) const;
  void make_shell_argv(std::uint64_t i, Command& command) const;

  const CommandSweep& sweep_;
  ProgramFinder& programs_;
  bool shell_;
};

// The command as its user would type it: one line.
std::string command_line(const CommandSweep& sweep, bool shell, std::uint64_t i);

}  // namespace hakuriver::cli
