// How a plan is to be executed: what applies to every grammar that plans come from and to every backend.
//
//   RunOptions options;
//   options.jobs = 4;
//   options.retries = 2;
//   options.halt = {HaltPolicy::When::soon, 10};
//   options.joblog = "sweep.log";
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hakuriver/selection.hpp"

namespace hakuriver {
inline namespace v1 {

// When failures end a run. A command has failed when its last attempt has.
struct HaltPolicy {
  enum class When : std::uint8_t {
    never = 0,
    soon = 1,  // starts nothing more, and lets what runs end
    now = 2,   // terminates what runs as well
  };
  When when = When::never;
  std::uint64_t failures = 1;  // after so many, at least 1; without meaning where there is a percentage
  double percent = 0;          // 0: none; else after so many failures in a hundred of the selection, 0 to 100
  bool operator==(const HaltPolicy&) const = default;
};

// How long one attempt may take. At its limit a command is terminated, and killed where that does not help.
struct TimeLimit {
  std::chrono::microseconds most{0};  // 0: none, unless there is a percentage
  // Above 0: of the median of the commands that have succeeded so far, and nothing is limited before three have.
  double percent_of_median = 0;
  bool operator==(const TimeLimit&) const = default;
};

// What the commands of a run are born with besides their own: for backends on this machine.
struct ChildOptions {
  std::vector<std::string> environment;  // "NAME=value", in addition to ours and stronger; a command's own is stronger
  std::string working_directory;         // empty: ours
  int nice = 0;                          // added to our niceness
  std::vector<int> unblocked_signals;    // that the calling thread blocks for itself, and commands do not
  bool run_variables = true;             // HAKURUN_INDEX and so on, see run_sweep.hpp
  int first_stdin = -1;  // what the first command reads, still open for us; -1, and for all others: nothing
  // Variables of places: a command in place k (from 1) gets the ((k - 1) mod size)-th list. For devices that one
  // command at a time may have.
  std::vector<std::vector<std::string>> slot_environment;
};

class RunControl;

struct RunOptions {
  SelectionOptions selection{};  // which of the plan's commands run, and in which order
  std::uint32_t jobs = 1;        // how many run at once; at least 1
  ChildOptions children{};

  // Policies
  std::uint32_t retries = 0;             // further attempts of a command that fails
  std::chrono::microseconds backoff{0};  // before the first of them; doubles with each, up to an hour
  TimeLimit time_limit{};
  std::chrono::milliseconds term_grace{5'000};  // from TERM to KILL, at a time limit and for HaltPolicy::When::now
  HaltPolicy halt{};
  std::chrono::microseconds delay{0};  // between two starts
  // A command starts only while fewer than so many of those before it, counted from the first that has not ended, have
  // started: whoever puts their output in order has no more than this to keep. At least 1.
  std::uint64_t most_ahead = ~std::uint64_t{0};
  double max_load = 0;                      // 0: none; else nothing more starts while the machine's load is above
  std::uint64_t min_free_memory_bytes = 0;  // nothing more starts while less memory than this is available
  bool join_jobserver = false;   // takes a place of the jobserver that MAKEFLAGS names, if any, for each command
  bool offer_jobserver = false;  // where none is joined: the commands are handed one, with `jobs` places for all

  // Records
  std::string joblog;         // the journal's file; empty: none. It must not exist, unless the run goes on with it:
  bool resume = false;        // leaves out what has succeeded by the journal
  bool retry_failed = false;  // runs only what has failed by the journal
  std::string results;        // a directory with one folder for each command; empty: none

  // Output
  bool capture = false;  // it arrives as events; else it goes to these two:
  int stdout_fd = 1;
  int stderr_fd = 2;

  // Ties with the caller
  RunControl* control = nullptr;  // to stop the run from elsewhere; outlives it
  int watched_fd = -1;            // where it is readable, RunEvents::watched is called: signals
  bool raise_open_files = false;  // raises the soft limit on open files for the run: process-wide; commands keep theirs
  bool adopt_orphans = false;     // see below
};

// `adopt_orphans` is for programs whose only children are the commands. The process becomes the reaper of orphans of
// its descendants (prctl(2), PR_SET_CHILD_SUBREAPER; process-wide, and stays), so that what a command leaves behind is
// found, whatever process group or session it has fled to. Such processes are terminated when their command ends, and
// killed two seconds later; those that can no longer be told by their environment, when the run ends. Without it only
// the process groups of commands are ended, and only when the run is stopped.

}  // namespace v1
}  // namespace hakuriver
