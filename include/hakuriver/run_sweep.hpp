// Executes a plan on this machine, so many commands at once.
//
//   RunOptions options;
//   options.jobs = 4;
//   RunEvents events;
//   events.ended = [](const RunEnd& end) { ... };
//   const auto summary = run_sweep(SweepPlan(std::move(words->sweep)), options, events);
//
// Each command leads a process group of its own, reads nothing, and finds itself described in its environment:
//   HAKURUN_INDEX    its number in the plan, from 1      HAKURUN_ATTEMPT      from 1
//   HAKURUN_TOTAL    how many commands the plan has      HAKURUN_NAME         Command::name
//   HAKURUN_SLOT     its place, 1 to jobs                HAKURUN_PARAM_<name> one for each parameter: its value
//   HAKURUN_RUN      this run
// In a parameter's name there, _ stands for whatever is not an ASCII letter, digit or _.
//
// The calling process keeps its signal handlers, its mask, its directory and its other children, unless the options say
// otherwise. Any number of runs may go on at once, each on a thread of its own.
#pragma once

#include <memory>

#include "hakuriver/backend.hpp"
#include "hakuriver/plan.hpp"
#include "hakuriver/result.hpp"
#include "hakuriver/run_events.hpp"
#include "hakuriver/run_options.hpp"

namespace hakuriver {
inline namespace v1 {

// Returns when all has ended that was to run, or, after a halt or a stop, what ran, with all of its process groups.
// A command that fails is no failure of the run: the summary counts it.
//   invalid_argument  an option is wrong; nothing was started
//   conflict          the journal exists already, or another run writes it; nothing was started
//   parse             the file to resume from is no journal; nothing was started
//   io, denied, ...   the machine refused what the run itself needs, such as room for the journal; what ran was killed
Result<RunSummary> run_sweep(const Plan& plan, const RunOptions& options, const RunEvents& events = {});

// The same on another backend, which was made for this plan and outlives the run. The options of children, of output
// that is not captured, of open files and of orphans are those of processes of this machine: they mean nothing here.
Result<RunSummary> run_sweep(const Plan& plan, const RunOptions& options, const RunEvents& events, Backend& backend);

// Stops a run from its own callbacks, where it acts at once, or from any other thread. Given to one run at a time; what
// is asked for before the run begins holds from its beginning.
class RunControl {
 public:
  static Result<RunControl> make();
  RunControl(RunControl&&) noexcept;
  RunControl& operator=(RunControl&&) noexcept;
  ~RunControl();

  void finish();     // starts nothing more, and lets what runs end
  void terminate();  // starts nothing more; TERM to what runs
  void kill();       // starts nothing more; KILL to what runs
  void suspend();    // STOP to what runs; CONT undoes it
  void resume();

  struct Impl;
  Impl& impl() noexcept { return *impl_; }

 private:
  explicit RunControl(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace v1
}  // namespace hakuriver
