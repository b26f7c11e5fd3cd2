#include "cli/hakurun_run.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "cli/cluster_backend.hpp"
#include "cli/exit_status.hpp"
#include "cli/hakurun_jobs.hpp"
#include "cli/hakurun_output.hpp"
#include "cli/hakurun_plan.hpp"
#include "cli/hakurun_program.hpp"
#include "cli/hakurun_report.hpp"
#include "cli/hakurun_signals.hpp"
#include "cli/watched_timer.hpp"
#include "hakuriver/run_sweep.hpp"
#include "hakuriver/selection.hpp"

namespace hakuriver::cli {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

// One after the other, commands need not wait for their end to be written in one piece.
OutputStyle style_of(const HakurunOptions& options, std::uint32_t jobs) {
  OutputStyle style;
  style.keep_order = options.keep_order || jobs == 1;
  style.by_lines = options.line_buffer || jobs == 1;
  style.tag = options.tag;
  return style;
}

// What many commands print has to be held apart; one after the other they may write for themselves.
bool captures(const HakurunOptions& options, std::uint32_t jobs, std::uint64_t size) {
  if (options.ungroup) return false;
  return options.to_cluster || (jobs > 1 && size > 1) || options.tag || options.line_buffer ||
         !options.run.results.empty();
}

// With --keep-order, which has to keep what others have printed while the first one still runs.
constexpr std::uint64_t kMostAhead = 65'536;

// One run: what its events do.
class SweepRun {
 public:
  SweepRun(const CommandSweep& sweep, const HakurunOptions& options, HakurunStreams streams, ProgramFinder& programs,
           RunControl control, std::unique_ptr<ClusterBackend> cluster)
      : sweep_(sweep),
        streams_(streams),
        options_(options),
        children_(options.run.children),
        plan_(sweep, programs, options.shell, ChildTexts(sweep, children_)),
        cluster_plan_(options.shell ? sweep.as_shell_lines() : sweep),
        cluster_(std::move(cluster)),
        size_(Selection(sweep.size(), options.run.selection).size()),
        jobs_(choose_jobs(options, size_)),
        captured_(captures(options, jobs_, size_)),
        report_(options, size_, captured_, streams),
        timer_(signals_.descriptor(), report_.shows_progress()),
        control_(std::move(control)),
        output_(patient_writer(), streams.out, streams.err, style_of(options, jobs_)) {
    if (!cluster_) return;
    cluster_->on_batch([this](const std::string& line) { report_.say(line); });
  }

  int run() {
    const auto summary = cluster_ ? hakuriver::run_sweep(cluster_plan_, cluster_options(), run_events(), *cluster_)
                                  : hakuriver::run_sweep(plan_, run_options(), run_events());
    check_output(output_.finish_all());
    if (!summary) {
      report_.say(summary.error().message);
      return exit_of(summary.error().code);
    }
    tell(*summary);
    if (interrupted_) return exit_of_signal(SIGINT);
    return summary->failed == 0 && !output_failed_ ? kExitGood : kExitFailed;
  }

 private:
  PatientWriter patient_writer() {
    PatientWriter writer;
    writer.watched_fd = timer_.descriptor();
    writer.watched = [this] { take_signals(); };
    writer.abandoned = [this] { return killed_; };
    writer.about_to_write = [this] { report_.make_way(); };
    return writer;
  }

  RunOptions run_options() {
    RunOptions options = options_.run;
    options.jobs = jobs_;
    options.capture = captured_;
    options.stdout_fd = streams_.out;
    options.stderr_fd = streams_.err;
    options.children = children_;
    options.children.unblocked_signals = signals_.blocked();
    options.children.run_variables = options_.slot_variables;
    if (options_.first_reads_stdin) options.children.first_stdin = STDIN_FILENO;
    options.join_jobserver = true;
    options.offer_jobserver = options_.jobserver;
    if (options_.keep_order) options.most_ahead = kMostAhead;
    options.control = &control_;
    options.watched_fd = timer_.descriptor();
    options.raise_open_files = true;
    options.adopt_orphans = true;
    return options;
  }

  // The cluster has the processes.
  RunOptions cluster_options() {
    RunOptions options = run_options();
    options.children = {};
    options.join_jobserver = false;
    options.most_ahead = RunOptions().most_ahead;  // a batch is one request
    return options;
  }

  RunEvents run_events() {
    RunEvents events;
    events.watched = [this] {
      take_signals();
      report_.tick();
    };
    events.skipped = [this](std::uint64_t) { report_.take_skip(); };
    events.started = [this](const RunStart& start) {
      report_.take_start(start.index);
      output_.begin(start.index, start.command.name);
    };
    events.output = [this](const RunOutput& output) {
      report_.take_output(output);
      check_output(output_.add(output.index, output.stream, output.bytes));
    };
    events.ended = [this](const RunEnd& end) { take_end(end); };
    events.notice = [this](std::string_view line) { report_.say(line); };
    return events;
  }

  void take_end(const RunEnd& end) {
    check_output(output_.finish(end.index, end.verdict == EndVerdict::retry));
    const bool failed = end.verdict == EndVerdict::failed || end.verdict == EndVerdict::retry;
    const bool is_shown = !options_.line_buffer && output_.is_written(end.index);
    report_.take_end(end, failed ? command_line(sweep_, options_.shell, end.index) : std::string(), is_shown);
  }

  void tell(const RunSummary& summary) {
    const auto count = [](std::uint64_t number) { return std::to_string(number); };
    if (summary.skipped > 0) {
      const std::string reason = options_.run.retry_failed ? " have not failed" : " have succeeded";
      report_.say(count(summary.skipped) + " of " + count(size_) + " left out: by the joblog they" + reason);
    }
    if (summary.changed > 0 && options_.run.resume) {
      report_.say(count(summary.changed) + " ran with another command than the joblog has for them");
    }
    if (interrupted_ || summary.halted) {
      const std::uint64_t ended = summary.succeeded + summary.failed;
      report_.say(std::string(interrupted_ ? "interrupted: " : "halted: ") + count(ended) + " of " + count(size_) +
                  " ended, " + count(summary.stopped) + " stopped, " + count(summary.not_started) + " not started");
    }
    report_.finish(summary);
  }

  // Nobody reads on (head): nothing is to be said, and nothing more to be run.
  void check_output(const Status& status) {
    if (status || output_failed_) return;
    if (status.error().code == Errc::limit) {
      if (!std::exchange(said_no_room_, true)) report_.say(status.error().message);
      return;
    }
    output_failed_ = true;
    if (status.error().code != Errc::unavailable) report_.say(status.error().message);
    control_.terminate();
  }

  void take_signals() {
    timer_.take_tick();
    while (const auto signal = signals_.next()) {
      if (*signal == SIGTSTP) {
        report_.make_way();
        control_.suspend();
        SignalWatch::stop_this_process();
        control_.resume();
      } else if (interrupted_) {
        killed_ = true;
        control_.kill();
      } else {
        interrupted_ = true;
        control_.terminate();
        if (cluster_) {
          for (const auto& batch : cluster_->open_batches()) {
            report_.say("asked the cluster to end batch " + batch);
          }
        } else if (report_.running() > 0) {
          report_.say("stopping " + std::to_string(report_.running()) + " running (once more to kill)");
        }
      }
    }
  }

  const CommandSweep& sweep_;
  const HakurunStreams streams_;
  const HakurunOptions& options_;
  ChildOptions children_;  // of all commands
  const HakurunPlan plan_;
  const SweepPlan cluster_plan_;                   // there an argv stays an argv
  const std::unique_ptr<ClusterBackend> cluster_;  // null: on this machine
  const std::uint64_t size_;
  const std::uint32_t jobs_;
  const bool captured_;
  const SignalWatch signals_;
  RunReport report_;
  const WatchedTimer timer_;
  RunControl control_;
  CommandOutput output_;
  bool interrupted_ = false;
  bool killed_ = false;
  bool output_failed_ = false;
  bool said_no_room_ = false;
};

// Each command has two files open while its results are awaited.
void raise_open_files() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

Result<std::unique_ptr<ClusterBackend>> open_cluster(const CommandSweep& sweep, const HakurunOptions& options) {
  if (!options.to_cluster) return std::unique_ptr<ClusterBackend>();
  const auto& children = options.run.children;
  ClusterOptions wanted = options.cluster;
  wanted.joblog = options.run.joblog;
  wanted.resumes = options.run.resume || options.run.retry_failed;
  wanted.time_limit = std::chrono::duration_cast<std::chrono::milliseconds>(options.run.time_limit.most);
  wanted.niceness = static_cast<std::uint32_t>(children.nice);
  if (options.jobs) wanted.max_running = options.jobs->value;
  auto cluster = ClusterBackend::make(options.shell ? sweep.as_shell_lines() : sweep, std::move(wanted),
                                      children.environment, children.working_directory);
  raise_open_files();
  return cluster;
}

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
  const auto program = options.shell || options.to_cluster ? std::nullopt : sweep.fixed_program();
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
  auto cluster = open_cluster(sweep, options);
  if (!cluster) {
    say(streams, cluster.error().message);
    return kExitFailed;
  }
  return SweepRun(sweep, options, streams, programs, std::move(*control), std::move(*cluster)).run();
}

}  // namespace hakuriver::cli
