// Processes that commands have left behind and that became our children: found, terminated, killed, reaped.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "hakuriver/result.hpp"
#include "platform/descriptor.hpp"

namespace hakuriver::engine {

// A command as far as its descendants can be told by it: by its process group, or by the variables in their
// environment.
struct RunningCommand {
  pid_t pid;
  std::string index;    // HAKURUN_INDEX
  std::string attempt;  // HAKURUN_ATTEMPT
};

// All of this process's children besides the commands are taken for orphans.
class Orphans {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds kTermGrace{2000};

  // From here on, and for as long as this process lives, orphans of its descendants become its children (prctl(2),
  // PR_SET_CHILD_SUBREAPER). `run` is the value of HAKURUN_RUN.
  static Result<Orphans> adopt(std::string run);

  // Whether there are other children than so many commands, none of them reaped since they ended. One read.
  bool are_there(std::size_t commands);

  // Terminates the orphans whose command has ended; those of which it cannot be told only if nothing runs any more.
  void end_abandoned(const std::vector<RunningCommand>& running, Clock::time_point now);

  // Reaps what has ended, kills what was terminated too long ago.
  void check(Clock::time_point now);
  void kill(Clock::time_point now);

  // Whether any has been terminated and is not gone.
  bool is_ending() const noexcept { return ending_ > 0; }

 private:
  struct Orphan {
    std::optional<RunningCommand> owner;        // by its environment
    std::optional<Clock::time_point> deadline;  // it was terminated
    bool killed = false;
  };

  explicit Orphans(std::string run);
  void terminate(pid_t pid, Orphan& orphan, Clock::time_point now);
  bool belongs_to_any(pid_t pid, const Orphan& orphan, const std::vector<RunningCommand>& running) const;
  std::optional<RunningCommand> find_owner(pid_t pid) const;

  std::string run_;
  platform::Descriptor children_file_;
  std::string children_;  // the file's text
  std::unordered_map<pid_t, Orphan> known_;
  std::size_t ending_ = 0;
};

}  // namespace hakuriver::engine
