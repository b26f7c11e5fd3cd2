// What one attempt in a container leaves on the node while it lasts: a directory that only its runner can enter.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "hakuriver/result.hpp"
#include "platform/files.hpp"

namespace hakuriver::container {

// What the init wrote, and what it could not.
struct TaskReport {
  bool is_started = false;
  std::optional<int> never_started{};  // the errno
  std::string failure{};               // why; by whoever asked the engine, or knows the command
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

  // From here on there may be a container.
  Status note_asked() const;
  bool was_asked() const;
  // It is not to be started any more.
  Status note_cancelled() const;
  bool is_cancelled() const;
  // Why the attempt did not start, for whoever finishes it. `message` is one line.
  Status note_failure(int error, const std::string& message) const;

  TaskReport report() const;
  // The process that made it; none where it has ended.
  std::optional<pid_t> starter() const;
  void remove() const;

 private:
  const std::string directory_;
  std::optional<platform::FileLock> lock_;
};

// Pure. Lines that are not known are ignored.
TaskReport parse_report(const std::string& text);

}  // namespace hakuriver::container
