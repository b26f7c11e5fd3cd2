// One attempt's container, from the image to the end of its command.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "container/engine.hpp"
#include "container/options.hpp"
#include "container/task_files.hpp"

namespace hakuriver::container {

struct TaskEnd {
  int exit_status = 0;
  std::string message{};  // why it could not be started; else empty
};

// Where the command's output goes: paths on the node.
struct TaskStreams {
  std::string stdout_path{};
  std::string stderr_path{};
};

// `environment` is the task's, "NAME=value" each; without a PATH it has the image's. Returns when the command has
// ended, or will never be started. An engine that goes away meanwhile is waited for.
TaskEnd run_task(Engine& engine, const Options& options, TaskFiles& files, const TaskStreams& streams,
                 const std::vector<std::string>& environment);

// What remains of a report when the container's end is known, too: that the command did not start counts only where the
// init ended as it does then. The command can write there, and end the init before it says more.
TaskReport confirm(TaskReport report, const std::optional<ContainerState>& state);

// Whether the init could not even open its report; it ends with 125 then.
bool has_init_failed(const TaskReport& report, const std::optional<ContainerState>& state);

// Each of the verbs but run and finish. Good where it did what it is for; it is asked again otherwise.
Status control_task(Engine& engine, const Options& options, const TaskFiles& files);

// Removes what attempts of the same runner left when this machine went down: a few at a time, for a task is waiting.
void remove_lost(Engine& engine, const Options& options);

// `tell` is given what the keeper is told, before anything of the attempt is removed; false keeps everything. That
// itself is kept, and told again whenever this is asked again. Without an engine there is no container, for none was
// ever asked for. Errc::unavailable where one may still come, for whoever asked for it did not hear of it.
Status finish_task(Engine* engine, const Options& options, const TaskFiles& files,
                   const std::function<bool(const std::string& lines)>& tell);

}  // namespace hakuriver::container
