#include "cli/hakurun_run.hpp"

#include <string.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include "cli/exit_status.hpp"
#include "cli/hakurun_jobs.hpp"
#include "cli/hakurun_output.hpp"
#include "cli/hakurun_plan.hpp"
#include "cli/hakurun_program.hpp"
#include "cli/hakurun_signals.hpp"
#include "hakuriver/run_sweep.hpp"
#include "hakuriver/selection.hpp"

namespace hakuriver::cli {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

std::string describe(const RunEnd& end) {
  if (!end.message.empty()) return end.message;
  if (end.timed_out) return "timed out";
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

OutputStyle style_of(const HakurunOptions& options) {
  OutputStyle style;
  style.keep_order = options.keep_order;
  style.by_lines = options.line_buffer;
  style.tag = options.tag;
  return style;
}

// What many commands print has to be held apart; one after the other they may write for themselves.
bool captures(const HakurunOptions& options, std::uint32_t jobs, std::uint64_t size) {
  if (options.ungroup) return false;
  return (jobs > 1 && size > 1) || options.tag || options.line_buffer || !options.run.results.empty();
}

// One run: what its events do.
class SweepRun {
 public:
  SweepRun(const CommandSweep& sweep, const HakurunOptions& options, HakurunStreams streams, ProgramFinder& programs,
           RunControl control)
      : sweep_(sweep),
        streams_(streams),
        options_(options),
        plan_(sweep, programs, options.shell),
        size_(Selection(sweep.size(), options.run.selection).size()),
        control_(std::move(control)),
        output_({signals_.descriptor(), [this] { take_signals(); }, [this] { return killed_; }}, streams.out,
                streams.err, style_of(options)) {}

  int run() {
    const auto summary = hakuriver::run_sweep(plan_, run_options(), run_events());
    check_output(output_.finish_all());
    if (!summary) {
      say(streams_, summary.error().message);
      return exit_of(summary.error().code);
    }
    tell(*summary);
    if (interrupted_) return exit_of_signal(SIGINT);
    return summary->failed == 0 && !output_failed_ ? kExitGood : kExitFailed;
  }

 private:
  RunOptions run_options() {
    RunOptions options = options_.run;
    options.jobs = choose_jobs(options_, size_);
    options.capture = captures(options_, options.jobs, size_);
    options.stdout_fd = streams_.out;
    options.stderr_fd = streams_.err;
    options.children.unblocked_signals = signals_.blocked();
    if (options_.first_reads_stdin) options.children.first_stdin = STDIN_FILENO;
    options.join_jobserver = true;
    options.offer_jobserver = options_.jobserver;
    options.control = &control_;
    options.watched_fd = signals_.descriptor();
    options.raise_open_files = true;
    options.adopt_orphans = true;
    return options;
  }

  RunEvents run_events() {
    RunEvents events;
    events.watched = [this] { take_signals(); };
    events.started = [this](const RunStart& start) {
      ++running_;
      output_.begin(start.index, start.command.name);
    };
    events.output = [this](const RunOutput& output) {
      check_output(output_.add(output.index, output.stream, output.bytes));
    };
    events.ended = [this](const RunEnd& end) { take_end(end); };
    events.notice = [this](std::string_view line) { say(streams_, line); };
    return events;
  }

  void take_end(const RunEnd& end) {
    const bool was_started = end.message.empty();
    if (was_started) --running_;
    const bool is_tried_again = end.verdict == EndVerdict::retry;
    check_output(output_.finish(end.index, is_tried_again));
    if (end.verdict == EndVerdict::succeeded || end.verdict == EndVerdict::stopped) return;
    const std::string again = is_tried_again ? ", to be tried again" : "";
    say(streams_, "failed (" + describe(end) + again + "): " + command_line(sweep_, options_.shell, end.index));
  }

  void tell(const RunSummary& summary) const {
    const auto count = [](std::uint64_t number) { return std::to_string(number); };
    if (summary.skipped > 0) {
      const std::string reason = options_.run.retry_failed ? " have not failed" : " have succeeded";
      say(streams_, count(summary.skipped) + " of " + count(size_) + " left out: by the joblog they" + reason);
    }
    if (summary.changed > 0 && options_.run.resume) {
      say(streams_, count(summary.changed) + " ran with another command than the joblog has for them");
    }
    if (interrupted_ || summary.halted) {
      const std::uint64_t ended = summary.succeeded + summary.failed;
      say(streams_, std::string(interrupted_ ? "interrupted: " : "halted: ") + count(ended) + " of " + count(size_) +
                        " ended, " + count(summary.stopped) + " stopped, " + count(summary.not_started) +
                        " not started");
    }
    if (summary.failed > 0 && !interrupted_) say(streams_, count(summary.failed) + " of " + count(size_) + " failed");
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
    control_.terminate();
  }

  void take_signals() {
    while (const auto signal = signals_.next()) {
      if (*signal == SIGTSTP) {
        control_.suspend();
        SignalWatch::stop_this_process();
        control_.resume();
      } else if (interrupted_) {
        killed_ = true;
        control_.kill();
      } else {
        interrupted_ = true;
        control_.terminate();
        if (running_ > 0) say(streams_, "stopping " + std::to_string(running_) + " running (once more to kill)");
      }
    }
  }

  const CommandSweep& sweep_;
  const HakurunStreams streams_;
  const HakurunOptions& options_;
  const HakurunPlan plan_;
  const std::uint64_t size_;
  const SignalWatch signals_;
  RunControl control_;
  CommandOutput output_;
  std::uint64_t running_ = 0;
  bool interrupted_ = false;
  bool killed_ = false;
  bool output_failed_ = false;
  bool said_no_room_ = false;
};

}  // namespace

void say(HakurunStreams streams, std::string_view line) {
  const std::string text = "hakurun: " + std::string(line) + "\n";
  // Where even stderr is closed there is nobody to tell.
  [[maybe_unused]] const auto written = ::write(streams.err, text.data(), text.size());
}

int run_sweep(const CommandSweep& sweep, const HakurunOptions& options, HakurunStreams streams) {
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
  auto control = RunControl::make();
  if (!control) {
    say(streams, control.error().message);
    return kExitFailed;
  }
  return SweepRun(sweep, options, streams, programs, std::move(*control)).run();
}

}  // namespace hakuriver::cli
