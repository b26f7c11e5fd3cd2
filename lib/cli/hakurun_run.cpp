#include "cli/hakurun_run.hpp"

#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include "cli/hakurun_output.hpp"
#include "cli/hakurun_program.hpp"
#include "cli/hakurun_signals.hpp"
#include "engine/local.hpp"

namespace hakuriver::cli {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

std::uint64_t count_of(const CommandSweep& sweep, const HakurunOptions& options) {
  return options.limit ? std::min(*options.limit, sweep.size()) : sweep.size();
}

// The combinations as what is to be executed for them.
class RunPlan : public Plan {
 public:
  RunPlan(const CommandSweep& sweep, std::uint64_t size, ProgramFinder& programs)
      : sweep_(sweep), size_(size), programs_(programs) {}

  std::uint64_t size() const override { return size_; }

  // A program that varies and is not there is left to the start, which fails.
  Command at(std::uint64_t i) const override {
    Command command;
    const auto values = sweep_.values_at(i);
    const auto& program = programs_.find(values.front().text);
    command.argv =
        build_argv(program ? *program : Program{Program::Kind::executable, values.front().text, {}, {}}, values);
    return command;
  }

 private:
  const CommandSweep& sweep_;
  std::uint64_t size_;
  ProgramFinder& programs_;
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

std::uint32_t parallelism_of(const HakurunOptions& options, std::uint64_t size) {
  if (options.jobs) return *options.jobs;
  if (!options.parallel) return 1;
  rlimit processes{};
  std::uint64_t most = kMostAtOnce;
  if (::getrlimit(RLIMIT_NPROC, &processes) == 0 && processes.rlim_cur != RLIM_INFINITY) {
    most = std::clamp<std::uint64_t>(processes.rlim_cur / 2, 1, most);
  }
  return static_cast<std::uint32_t>(std::min(size, most));
}

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
        size_(count_of(sweep, options)),
        parallelism_(parallelism_of(options, size_)),
        plan_(sweep, size_, programs),
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
      check_output(output_.add(index, stream, bytes));
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
    say(streams_, "failed (" + describe(end) + "): " + shell_quote(sweep_.at(end.index)));
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
  const std::uint64_t size_;
  const std::uint32_t parallelism_;
  const engine::ChildDefaults defaults_ = engine::ChildDefaults::of_this_process();  // before the next two change it
  const RaisedOpenFiles open_files_;
  const SignalWatch signals_;
  RunPlan plan_;
  GroupedOutput output_;
  engine::LocalRun run_;
  std::uint64_t ended_ = 0;
  std::uint64_t failed_ = 0;
  std::uint64_t stopped_ = 0;
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
  if (const auto program = sweep.fixed_program()) {
    const auto& found = programs.find(*program);
    if (!found) {
      say(streams, found.error().message);
      return 1;
    }
  }
  return SweepRun(sweep, options, streams, programs).run();
}

}  // namespace hakuriver::cli
