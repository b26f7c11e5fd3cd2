#include <errno.h>
#include <signal.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <iterator>

#include "container/task_run.hpp"

namespace hakuriver::container {
namespace {

constexpr const char* kInit = "/.hakuriver/init";
constexpr int kNotExecutable = 126;
constexpr int kNotFound = 127;

// The state of the attempt's container, if it is ours: others are as good as none.
Result<ContainerState> own_state(Engine& engine, const Options& options) {
  auto state = engine.state(options.name);
  if (state && state->owner != options.owner) {
    return Error{Errc::not_found, "container '" + options.name + "' is not this task's"};
  }
  return state;
}

// What has not begun is not begun, and its starter goes.
Status cancel(const TaskFiles& files) {
  if (const auto noted = files.note_cancelled(); !noted) return noted;
  if (const auto pid = files.starter()) ::kill(*pid, SIGTERM);
  return Unit{};
}

Status end(Engine& engine, const Options& options, const TaskFiles& files) {
  const auto state = own_state(engine, options);
  if (!state && state.error().code != Errc::not_found) return state.error();
  if (!state || state->status == "created") return cancel(files);
  if (!state->is_alive()) return Unit{};
  if (options.verb == "kill") return engine.kill(options.name);
  if (state->status == "paused") {
    if (auto resumed = engine.resume(options.name); !resumed) return resumed;
  }
  return engine.execute(options.name, {kInit, "--signal", std::to_string(SIGTERM)});
}

void add(std::string& lines, const std::string& word, std::uint64_t number) {
  lines += word + " " + std::to_string(number) + "\n";
}

std::string describe_failure(const TaskReport& report) {
  const int error = *report.never_started;
  if (!report.failure.empty()) return report.failure;
  return std::string("the command cannot be executed in the container: ") + std::strerror(error);
}

// Lack of something on the node, which another attempt may find again.
bool is_node_fault(int error) {
  constexpr int kFaults[] = {EAGAIN, ENOMEM, EMFILE, ENFILE, ENOSPC, EDQUOT, EIO, EROFS, EPERM, ESTALE};
  return std::find(std::begin(kFaults), std::end(kFaults), error) != std::end(kFaults);
}

std::string describe_never_started(const TaskReport& report) {
  const int error = *report.never_started;
  const std::string message = describe_failure(report) + "\n";
  if (is_node_fault(error)) return "never_started " + std::to_string(error) + " " + message;
  return "exited " + std::to_string(error == ENOENT ? kNotFound : kNotExecutable) + "\nmessage " + message;
}

std::string lines_of(const TaskReport& report, const std::optional<ContainerState>& state) {
  std::string lines;
  const bool has_failed = state && state->is_oom_killed && report.exited.value_or(1) != 0;
  if (report.never_started) {
    lines = describe_never_started(report);
  } else if (has_failed) {
    add(lines, "oom_killed", SIGKILL);
    lines += "message out of memory: the kernel killed what ran in the container\n";
  } else if (report.exited) {
    add(lines, "exited", static_cast<std::uint64_t>(*report.exited));
  } else if (report.signaled) {
    add(lines, "signaled", static_cast<std::uint64_t>(*report.signaled));
  } else if (state && (report.is_started || state->status != "created")) {
    add(lines, "signaled", SIGKILL);  // with all that could have told
  }
  if (report.cpu_microseconds) add(lines, "cpu_microseconds", *report.cpu_microseconds);
  if (report.peak_bytes) add(lines, "peak_bytes", *report.peak_bytes);
  return lines;
}

}  // namespace

Status control_task(Engine& engine, const Options& options, const TaskFiles& files) {
  if (options.verb != "pause" && options.verb != "resume") return end(engine, options, files);
  const auto state = own_state(engine, options);
  if (!state) return state.error();
  const bool is_paused = state->status == "paused";
  if (options.verb == "pause") return is_paused ? Status(Unit{}) : engine.pause(options.name);
  return is_paused ? engine.resume(options.name) : Status(Unit{});
}

Status finish_task(Engine* engine, const Options& options, const TaskFiles& files,
                   const std::function<bool(const std::string&)>& tell) {
  std::optional<ContainerState> state;
  if (engine != nullptr) {
    auto found = own_state(*engine, options);
    // The main process is gone: what still runs has nobody that waits for it.
    if (found && found->is_alive()) {
      const auto killed = engine->kill(options.name);
      if (!killed && killed.error().code != Errc::conflict) return killed;
      if (const auto ended = engine->wait(options.name); !ended) return ended;
      found = own_state(*engine, options);
    }
    if (found) state = std::move(*found);
    if (!found && found.error().code != Errc::not_found) return found.error();
  }
  if (!tell(lines_of(files.report(), state))) return Error{Errc::io, "nobody listens"};
  if (state) {
    const auto removed = engine->remove(options.name);
    if (!removed && removed.error().code != Errc::not_found) return removed;
  }
  files.remove();
  return Unit{};
}

}  // namespace hakuriver::container
