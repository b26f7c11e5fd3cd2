// What one attempt in a container leaves on the node while it lasts: a directory that only its runner can enter.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hakuriver/result.hpp"
#include "platform/files.hpp"

namespace hakuriver::container {

// What the init wrote, and what it could not.
struct TaskReport {
  bool may_have_started = false;       // the init was about to execute the command, at least
  std::optional<int> never_started{};  // the errno of the init, which could not execute it
  std::optional<int> unopened{};       // the errno of the init, which could not open the files of its output
  std::optional<int> unentered{};      // the errno of the init, which could not enter the working directory
  std::optional<int> refused{};        // the errno by whoever asked the engine
  std::string failure{};               // why, in words
  std::optional<int> exited{};
  std::optional<int> signaled{};
  std::optional<std::uint64_t> cpu_microseconds{};
  std::optional<std::uint64_t> peak_bytes{};
};

class TaskFiles {
 public:
  explicit TaskFiles(std::string directory) : directory_(std::move(directory)) {}

  // Makes the directory, an empty report that anybody who is given it may write to, and says which process does it.
  Status create();
  std::string directory() const { return directory_; }
  std::string report_path() const { return directory_ + "/report"; }

  // From here on there may be a container,
  Status note_asked() const;
  bool was_asked() const;
  // and from here on none comes that is not there.
  Status note_answered() const;
  // Whether an engine may still make one, for nobody heard its answer. For half a minute from the first time that this
  // is asked, when whoever wanted the container has gone.
  bool may_still_come() const;
  // It is not to be started any more.
  Status note_cancelled() const;
  bool is_cancelled() const;
  // Why the attempt did not start, for whoever finishes it. `message` is one line.
  Status note_failure(int error, const std::string& message) const;

  TaskReport report() const;
  // The process that made it; none where it has ended.
  std::optional<pid_t> starter() const;

  // What the keeper is told of the end, which outlives everything else: the keeper may ask again.
  bool is_there() const;
  Status note_end(const std::string& lines) const;
  std::optional<std::string> end() const;
  // Everything but that; and all.
  void remove() const;
  void remove_all() const;

 private:
  const std::string directory_;
  std::optional<platform::FileLock> lock_;
};

// Pure. Lines that are not known are ignored, and so is what contradicts that the command has started: it, too, can
// write there.
TaskReport parse_report(const std::string& text);

// The directories below `parent` of attempts that were under way when this machine went down. Their keeper knows them
// no more.
std::vector<std::string> find_lost(const std::string& parent);

// Removes what removed attempts left below `parent` for their keepers, where it is older than an hour.
void remove_ends(const std::string& parent);

}  // namespace hakuriver::container
