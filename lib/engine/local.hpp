// The local backend: executes a plan as processes of this machine, so many at once.
//
//   LocalRun run(plan, LocalOptions{ChildDefaults::of_this_process()}, events);
//   const Status status = run.run();     // when all have ended
//
// It changes nothing that belongs to the whole process: no signal handler, no mask, no directory, no limit.
#pragma once

#include <signal.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "hakuriver/outcome.hpp"
#include "hakuriver/plan.hpp"
#include "hakuriver/result.hpp"

namespace hakuriver::engine {

// What the commands are born with.
struct ChildDefaults {
  std::vector<std::string> environment;  // "NAME=value"
  sigset_t signal_mask{};
  rlimit open_files{};

  static ChildDefaults of_this_process();
};

struct LocalOptions {
  ChildDefaults children;
  std::uint32_t parallelism = 1;  // at least 1
  bool capture = false;           // output arrives as events; else it goes to these two:
  int stdout_fd = 1;
  int stderr_fd = 2;
  int watched_fd = -1;  // where it is readable, `watched` is called: signals, wishes from other threads
};

enum class OutputStream : std::uint8_t { out, err };

struct CommandEnd {
  std::uint64_t index = 0;
  Outcome outcome;
  Usage usage;
  std::chrono::microseconds elapsed{0};
  std::string message;  // why it did not start; else empty
};

// Called on the thread that is in run(), in the order in which things happened. All of a command's output that was
// written before its process ended comes before its end; what processes that it left behind write later comes after it,
// as long as the run lasts, and is lost then.
struct LocalEvents {
  std::function<void(std::uint64_t index, pid_t pid)> started;
  std::function<void(std::uint64_t index, OutputStream stream, std::string_view bytes)> output;
  std::function<void(const CommandEnd&)> ended;
  std::function<void()> watched;
};

// Each command leads a process group of its own and reads /dev/null. The four verbs below may be called from events.
class LocalRun {
 public:
  // `plan` must outlive the run.
  LocalRun(const Plan& plan, LocalOptions options, LocalEvents events);
  ~LocalRun();
  LocalRun(const LocalRun&) = delete;
  LocalRun& operator=(const LocalRun&) = delete;

  // Once. Returns when every command has ended, or after terminate() or kill() when those that ran have, with all of
  // their process groups. io where the machine refuses what the run itself needs; nothing is left running then.
  Status run();

  void terminate();  // starts nothing more; TERM to what runs
  void kill();       // starts nothing more; KILL to what runs
  void suspend();    // STOP to what runs; CONT undoes it
  void resume();

  std::uint64_t started() const noexcept;  // how many commands were tried, in the plan's order
  std::uint32_t running() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hakuriver::engine
