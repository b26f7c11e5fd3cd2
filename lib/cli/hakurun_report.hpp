// What hakurun says of a run on stderr: failures at once and again at the end, and how far it is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cli/hakurun.hpp"
#include "cli/hakurun_failures.hpp"
#include "cli/hakurun_options.hpp"
#include "cli/hakurun_progress.hpp"
#include "hakuriver/run_events.hpp"

namespace hakuriver::cli {

class RunReport {
 public:
  // Of `size` commands; `captured` tells whether their output passes through us.
  RunReport(const HakurunOptions& options, std::uint64_t size, bool captured, HakurunStreams streams);

  bool shows_progress() const noexcept { return progress_kind_ != Progress::Kind::none; }

  void take_skip();
  void take_start(std::uint64_t index);
  void take_output(const RunOutput& output);

  // `command` is the command in one line; `is_shown` tells that its stderr has just been written.
  void take_end(const RunEnd& end, const std::string& command, bool is_shown);

  // Some time has passed.
  void tick();

  // Takes the status line away: something else is to be written.
  void make_way() { progress_.erase(); }

  void say(std::string_view line);

  // The failures once more.
  void finish(const RunSummary& summary);

  std::uint64_t running() const noexcept { return counts_.running; }

 private:
  const HakurunStreams streams_;
  const bool captured_;
  const Progress::Kind progress_kind_;
  Progress progress_;
  ProgressCounts counts_;
  StderrTails tails_;
  FailureList failures_;
};

}  // namespace hakuriver::cli
