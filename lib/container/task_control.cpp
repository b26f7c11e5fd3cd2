#include <errno.h>
#include <signal.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <system_error>
#include <utility>

#include "container/task_run.hpp"

namespace hakuriver::container {
namespace {

constexpr const char* kInit = "/.hakuriver/init";
constexpr int kNotExecutable = 126;
constexpr int kNotFound = 127;
constexpr int kInitFault = 125;

// The state of the attempt's container, if it is ours: others are as good as none.
Result<ContainerState> own_state(Engine& engine, const Options& options) {
  auto state = engine.state(options.name);
  if (state && state->owner != options.owner) {
    return Error{Errc::not_found, "container '" + options.name + "' is not this task's"};
  }
  return state;
}

// What has not begun is not begun, and its starter goes; unless it has asked an engine that would go on without it:
// then it looks whether it is cancelled before it starts anything.
Status cancel(const TaskFiles& files) {
  if (const auto noted = files.note_cancelled(); !noted) return noted;
  if (files.was_asked()) return Unit{};
  if (const auto pid = files.starter()) ::kill(*pid, SIGTERM);
  return Unit{};
}

Status end(Engine& engine, const Options& options, const TaskFiles& files) {
  const auto state = own_state(engine, options);
  if (!state && state.error().code != Errc::not_found) return state.error();
  if (!state || state->is_new()) return cancel(files);
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

std::string or_else(const std::string& failure, const std::string& what, int error) {
  return failure.empty() ? what + " in the container: " + std::generic_category().message(error) : failure;
}

// Lack of something on the node, which another attempt may find again.
bool is_node_fault(int error) {
  constexpr int kFaults[] = {EAGAIN, ENOMEM, EMFILE, ENFILE, ENOSPC, EDQUOT, EIO, EROFS, EPERM, ESTALE};
  return std::find(std::begin(kFaults), std::end(kFaults), error) != std::end(kFaults);
}

std::string describe_never_started(int error, const std::string& failure) {
  if (is_node_fault(error)) return "never_started " + std::to_string(error) + " " + failure + "\n";
  return "exited " + std::to_string(error == ENOENT ? kNotFound : kNotExecutable) + "\nmessage " + failure + "\n";
}

// Empty, where the command was or may have been executed.
std::string lines_of_failure(const TaskReport& report, const std::optional<ContainerState>& state) {
  if (report.never_started) {
    return describe_never_started(*report.never_started,
                                  or_else(report.failure, "the command cannot be executed", *report.never_started));
  }
  if (report.unopened) {
    return describe_never_started(*report.unopened,
                                  or_else(report.failure, "its output files cannot be opened", *report.unopened));
  }
  if (report.unentered) {
    const bool is_missing = *report.unentered == ENOENT;  // which is no missing command
    return describe_never_started(
        is_missing ? ENOTDIR : *report.unentered,
        or_else(report.failure, "its working directory cannot be entered", *report.unentered));
  }
  if (has_init_failed(report, state)) {
    return describe_never_started(EACCES, or_else("", "its first program cannot open its files", EACCES));
  }
  const bool is_new = !report.may_have_started && (!state || state->is_new());
  return report.refused && is_new ? describe_never_started(*report.refused, report.failure) : std::string();
}

std::string lines_of(const TaskReport& report, const std::optional<ContainerState>& state) {
  std::string lines = lines_of_failure(report, state);
  const bool has_failed = state && state->is_oom_killed && report.exited.value_or(1) != 0;
  if (!lines.empty()) return lines;
  if (has_failed) {
    add(lines, "oom_killed", SIGKILL);
    lines += "message out of memory: the kernel killed what ran in the container\n";
  } else if (report.exited) {
    add(lines, "exited", static_cast<std::uint64_t>(*report.exited));
  } else if (report.signaled) {
    add(lines, "signaled", static_cast<std::uint64_t>(*report.signaled));
  } else if (report.may_have_started || (state && !state->is_new())) {
    add(lines, "signaled", SIGKILL);  // with all that could have told
  }
  if (report.cpu_microseconds) add(lines, "cpu_microseconds", *report.cpu_microseconds);
  if (report.peak_bytes) add(lines, "peak_bytes", *report.peak_bytes);
  return lines;
}

Status remove_own(Engine& engine, const Options& options) {
  const auto state = own_state(engine, options);
  const auto removed = state ? engine.remove(options.name) : Status(state.error());
  return !removed && removed.error().code == Errc::not_found ? Status(Unit{}) : removed;
}

// The state of the attempt's container when nothing in it runs, nor ever will; none where there is no such container.
Result<std::optional<ContainerState>> end_state(Engine* engine, const Options& options, const TaskFiles& files) {
  using State = std::optional<ContainerState>;
  if (engine == nullptr) return State();
  auto found = own_state(*engine, options);
  // The main process is gone: what still runs has nobody that waits for it.
  if (found && found->is_alive()) {
    const auto killed = engine->kill(options.name);
    if (!killed && killed.error().code != Errc::conflict) return killed.error();
    if (const auto ended = engine->wait(options.name); !ended) return ended.error();
    found = own_state(*engine, options);
  }
  if (found && found->is_new()) {  // or on its way to its start, of which the report tells afterwards
    const auto removed = remove_own(*engine, options);
    if (!removed) return removed.error();
  }
  if (found) return State(std::move(*found));
  if (found.error().code != Errc::not_found) return found.error();
  if (!files.may_still_come()) return State();
  return Error{Errc::unavailable, "container '" + options.name + "' was asked for, and may still come"};
}

}  // namespace

TaskReport confirm(TaskReport report, const std::optional<ContainerState>& state) {
  const bool has_ended = state && !state->is_alive() && !state->is_new();
  const bool is_of_init = has_ended && state->exit_code >= kInitFault && state->exit_code <= kNotFound;
  if ((!report.never_started && !report.unopened && !report.unentered) || is_of_init) return report;
  report.may_have_started = true;
  report.never_started.reset();
  report.unopened.reset();
  report.unentered.reset();
  return report;
}

bool has_init_failed(const TaskReport& report, const std::optional<ContainerState>& state) {
  return state && state->status == "exited" && state->exit_code == kInitFault && !report.may_have_started &&
         !report.never_started && !report.unopened && !report.unentered;
}

Status control_task(Engine& engine, const Options& options, const TaskFiles& files) {
  if (options.verb != "pause" && options.verb != "resume") return end(engine, options, files);
  const auto state = own_state(engine, options);
  if (!state) return state.error();
  const bool is_paused = state->status == "paused";
  if (options.verb == "pause") return is_paused ? Status(Unit{}) : engine.pause(options.name);
  return is_paused ? engine.resume(options.name) : Status(Unit{});
}

void remove_lost(Engine& engine, const Options& options) {
  constexpr std::size_t kMost = 16;
  auto lost = find_lost(options.state.substr(0, options.state.rfind('/')));
  if (lost.size() > kMost) lost.resize(kMost);
  const std::string runner = options.owner.substr(0, options.owner.find('/') + 1);
  for (const auto& directory : lost) {
    const std::string name = directory.substr(directory.rfind('/') + 1);
    const auto state = engine.state(name);
    const bool is_ours = state && !runner.empty() && state->owner.starts_with(runner);
    const auto removed = is_ours ? engine.remove(name) : Status(Unit{});
    const bool is_away = !state && state.error().code != Errc::not_found;
    if (!is_away && (removed || removed.error().code == Errc::not_found)) TaskFiles(directory).remove_all();
  }
}

Status finish_task(Engine* engine, const Options& options, const TaskFiles& files,
                   const std::function<bool(const std::string&)>& tell) {
  auto lines = files.end();
  if (!lines) {
    const auto state = end_state(engine, options, files);
    if (!state) return state.error();
    lines = lines_of(confirm(files.report(), *state), *state);
    const auto noted = files.is_there() ? files.note_end(*lines) : Status(Unit{});
    if (!noted) return noted;
  }
  if (!tell(*lines)) return Error{Errc::io, "nobody listens"};
  if (engine != nullptr) {
    if (const auto removed = remove_own(*engine, options); !removed) return removed;
  }
  files.remove();
  return Unit{};
}

}  // namespace hakuriver::container
