#include "cli/hakurun_run.hpp"

#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include "cli/hakurun_jobs.hpp"
#include "cli/hakurun_output.hpp"
#include "cli/hakurun_plan.hpp"
#include "cli/hakurun_program.hpp"
#include "cli/hakurun_signals.hpp"
#include "engine/local.hpp"
#include "hakuriver/selection.hpp"

namespace hakuriver::cli {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

// The commands that were chosen, in their order.
class SelectedPlan : public Plan {
 public:
  SelectedPlan(const CommandSweep& sweep, const HakurunOptions& options, ProgramFinder& programs)
      : plan_(sweep, programs, options.shell), selection_(sweep.size(), options.run.selection) {}

  std::uint64_t size() const override { return selection_.size(); }
  std::uint64_t place(std::uint64_t k) const { return selection_.at(k); }
  Command at(std::uint64_t k) const override { return plan_.at(place(k)); }

 private:
  HakurunPlan plan_;
  Selection selection_;
};

// Parallel commands take three descriptors each; the soft limit is often 1024 where much more is allowed. The commands
// themselves keep what was given to us.
class RaisedOpenFiles {
 public:
  RaisedOpenFiles() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    rlimit raised = before_;
    constexpr rlim_t kEnough = 4 * kMostJobs;
    raised.rlim_cur = std::max(before_.rlim_cur, std::min(before_.rlim_max, kEnough));
    ::setrlimit(RLIMIT_NOFILE, &raised);
  }
  ~RaisedOpenFiles() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  RaisedOpenFiles(const RaisedOpenFiles&) = delete;
  RaisedOpenFiles& operator=(const RaisedOpenFiles&) = delete;

 private:
  rlimit before_{};
};

std::string describe(const engine::CommandEnd& end) {
  if (!end.message.empty()) return end.message;
  switch (end.outcome.kind) {
    case OutcomeKind::exited:
      return "exit " + std::to_string(end.outcome.value);
    case OutcomeKind::signaled:
    case OutcomeKind::oom_killed:
      return "signal " + std::to_string(end.outcome.value) + ", " + ::strsignal(end.outcome.value);
    case OutcomeKind::never_started:
    case OutcomeKind::unknown:
      break;
  }
  return "its exit status is not known";
}

// One run: what its events do.
class SweepRun {
 public:
  SweepRun(const CommandSweep& sweep, const HakurunOptions& options, HakurunStreams streams, ProgramFinder& programs)
      : sweep_(sweep),
        streams_(streams),
        shell_(options.shell),
        plan_(sweep, options, programs),
        size_(plan_.size()),
        parallelism_(choose_jobs(options, size_)),
        output_({signals_.descriptor(), [this] { take_signals(); }, [this] { return killed_; }}, streams.out,
                streams.err),
        run_(plan_, local_options(), local_events()) {}

  int run() {
    const Status status = run_.run();
    if (!status) say(streams_, status.error().message);
    if (interrupted_) {
      say(streams_, "interrupted: " + std::to_string(ended_) + " of " + std::to_string(size_) + " ended, " +
                        std::to_string(stopped_) + " stopped, " + std::to_string(size_ - run_.started()) +
                        " not started");
      return 130;
    }
    if (failed_ > 0) say(streams_, std::to_string(failed_) + " of " + std::to_string(size_) + " failed");
    return status && failed_ == 0 && !output_failed_ ? 0 : 1;
  }

 private:
  engine::LocalOptions local_options() {
    engine::LocalOptions options;
    options.children = defaults_;
    options.parallelism = parallelism_;
    options.capture = parallelism_ > 1 && size_ > 1;
    options.stdout_fd = streams_.out;
    options.stderr_fd = streams_.err;
    options.watched_fd = signals_.descriptor();
    return options;
  }

  engine::LocalEvents local_events() {
    engine::LocalEvents events;
    events.watched = [this] { take_signals(); };
    events.started = [this](std::uint64_t index, pid_t) { output_.begin(index); };
    events.output = [this](std::uint64_t index, engine::OutputStream stream, std::string_view bytes) {
      check_output(output_.add(index, static_cast<OutputStream>(stream), bytes));
    };
    events.ended = [this](const engine::CommandEnd& end) { take_end(end); };
    return events;
  }

  void take_end(const engine::CommandEnd& end) {
    check_output(output_.finish(end.index));
    const bool by_us = (interrupted_ || output_failed_) && end.outcome.kind == OutcomeKind::signaled;
    if (by_us) {
      ++stopped_;
      return;
    }
    ++ended_;
    if (end.outcome == Outcome{OutcomeKind::exited, 0}) return;
    ++failed_;
    say(streams_, "failed (" + describe(end) + "): " + command_line(sweep_, shell_, plan_.place(end.index)));
  }

  // Nobody reads on (head): nothing is to be said, and nothing more to be run.
  void check_output(const Status& status) {
    if (status || output_failed_) return;
    if (status.error().code == Errc::limit) {
      if (!std::exchange(said_no_room_, true)) say(streams_, status.error().message);
      return;
    }
    output_failed_ = true;
    if (status.error().code != Errc::unavailable) say(streams_, status.error().message);
    run_.terminate();
  }

  void take_signals() {
    while (const auto signal = signals_.next()) {
      if (*signal == SIGTSTP) {
        run_.suspend();
        SignalWatch::stop_this_process();
        run_.resume();
      } else if (interrupted_) {
        killed_ = true;
        run_.kill();
      } else {
        interrupted_ = true;
        run_.terminate();
        if (run_.running() > 0) {
          say(streams_, "stopping " + std::to_string(run_.running()) + " running (once more to kill)");
        }
      }
    }
  }

  const CommandSweep& sweep_;
  const HakurunStreams streams_;
  const bool shell_;
  SelectedPlan plan_;
  const std::uint64_t size_;
  const std::uint32_t parallelism_;
  const engine::ChildDefaults defaults_ = engine::ChildDefaults::of_this_process();  // before the next two change it
  const RaisedOpenFiles open_files_;
  const SignalWatch signals_;
  CommandOutput output_;
  engine::LocalRun run_;
  std::uint64_t ended_ = 0;
  std::uint64_t failed_ = 0;
  std::uint64_t stopped_ = 0;
  bool interrupted_ = false;
  bool killed_ = false;
  bool output_failed_ = false;
  bool said_no_room_ = false;
};

// What this program understands but does not do.
std::string refused_option(const HakurunOptions& options) {
  const RunOptions& run = options.run;
  const RunOptions standard;
  if (options.first_reads_stdin) return "--stdin";
  if (options.jobserver) return "--jobserver";
  if (options.keep_order) return "--keep-order";
  if (options.tag) return "--tag";
  if (options.line_buffer) return "--line-buffer";
  if (options.ungroup) return "--ungroup";
  if (options.progress) return "--progress";
  if (!run.children.environment.empty()) return "--env";
  if (!run.children.working_directory.empty()) return "--cwd";
  if (!run.children.slot_environment.empty()) return "--gpus";
  if (run.children.nice != 0) return "--nice";
  if (run.retries != 0 || run.backoff.count() != 0) return "--retries";
  if (run.time_limit != standard.time_limit) return "--timeout";
  if (run.halt != standard.halt) return "--halt";
  if (run.delay.count() != 0) return "--delay";
  if (run.max_load > 0) return "--load";
  if (run.min_free_memory_bytes > 0) return "--memfree";
  if (!run.joblog.empty()) return "--joblog";
  if (!run.results.empty()) return "--results";
  return {};
}

}  // namespace

void say(HakurunStreams streams, std::string_view line) {
  const std::string text = "hakurun: " + std::string(line) + "\n";
  // Where even stderr is closed there is nobody to tell.
  [[maybe_unused]] const auto written = ::write(streams.err, text.data(), text.size());
}

int run_sweep(const CommandSweep& sweep, const HakurunOptions& options, HakurunStreams streams) {
  if (const auto refused = refused_option(options); !refused.empty()) {
    say(streams, refused + " is not there yet");
    return 2;
  }
  const std::string path = variable("PATH");
  ProgramFinder programs(path.empty() ? "/bin:/usr/bin" : path, variable("HAKURUN_PYTHON"),
                         [streams](std::string_view line) { say(streams, line); });
  const auto program = options.shell ? std::nullopt : sweep.fixed_program();
  if (program) {
    const auto& found = programs.find(*program);
    if (!found) {
      say(streams, found.error().message);
      return 1;
    }
  }
  return SweepRun(sweep, options, streams, programs).run();
}

}  // namespace hakuriver::cli
