// The port to what executes the commands of a plan: processes of this machine, a cluster, other machines.
//
// A run asks a backend to start ranges of its plan, and hears of each command's start, output and end. What may start
// when, retries, limits and records are the run's business and the same for every backend.
//
// How large a range is belongs to the backend. Processes take ranges of one, with the command made. A cluster says that
// it takes any number at once and ranges of any length: it then gets the whole plan in one order, which it submits as
// one request - it was made for that plan, and knows its axes - and reports ends as the host tells of them; nothing is
// called for each command before that. A backend of many machines lies between: as many places as they have, and
// ranges as long as it likes to hand out.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hakuriver/outcome.hpp"
#include "hakuriver/plan.hpp"
#include "hakuriver/result.hpp"
#include "hakuriver/run_events.hpp"
#include "hakuriver/time.hpp"

namespace hakuriver {
inline namespace v1 {

struct BackendTraits {
  std::uint64_t longest_range = 1;
  // It ends attempts at their time limit by itself, and says so in their end; the run does not.
  bool keeps_time_limits = false;
  std::uint64_t places = 0;  // how many attempts it takes at once; 0: as many as RunOptions::jobs says
};

// The attempt-th try at the commands first, first + 1, ... of the plan.
struct StartOrder {
  std::uint64_t first = 0;
  std::uint64_t count = 1;
  std::uint32_t attempt = 1;
  // The following are there for ranges of one only.
  std::uint32_t slot = 0;                               // the place it has, from 1
  const Command* command = nullptr;                     // valid during the call
  const std::vector<std::string>* variables = nullptr;  // likewise: "NAME=value", besides all others
  int stdin_fd = -1;                                    // -1: nothing to read
  int stdout_fd = -1;  // where its output goes instead of where the backend sends it; -1: there
  int stderr_fd = -1;
};

// An end as its backend saw it.
struct AttemptEnd {
  Outcome outcome;
  Usage usage;
  UtcTime started_at;  // 0: it did not start
  MonotonicTime ended_at;
  std::chrono::microseconds elapsed{0};
  bool timed_out = false;  // where the backend keeps time limits
  bool is_withdrawn =
      false;            // it was ended by request before it started: where the run stops, it counts as not started
  std::string message;  // why it did not start; else empty
};

// What a backend tells. It names commands by their place in the plan.
class BackendEvents {
 public:
  virtual ~BackendEvents() = default;
  virtual void started(std::uint64_t index, std::uint32_t attempt, std::int64_t process) = 0;
  virtual void output(std::uint64_t index, std::uint32_t attempt, OutputStream stream, std::string_view bytes) = 0;
  virtual void ended(std::uint64_t index, std::uint32_t attempt, const AttemptEnd& end) = 0;
  virtual void readable(int descriptor) = 0;  // one that the backend was asked to watch
};

enum class StopHow : std::uint8_t {
  terminate = 0,  // asks for the end (TERM)
  kill = 1,
  suspend = 2,
  resume = 3,
};

enum class StartAnswer : std::uint8_t {
  accepted = 0,  // the end of each command will be told, from within start() or from wait()
  later = 1,     // there is no room, and there will be when something has ended; nothing was done
};

// One thread uses a backend. Events are told from within start(), stop() and wait().
class Backend {
 public:
  virtual ~Backend() = default;
  virtual BackendTraits traits() const = 0;

  virtual StartAnswer start(const StartOrder& order, BackendEvents& events) = 0;

  // To everything that runs, and whatever it has left behind; and to one command.
  virtual void stop_all(StopHow how) = 0;
  virtual void stop(std::uint64_t index, StopHow how) = 0;

  // Ends what it has accepted and not started, which is told as any end. What runs goes on.
  virtual void withdraw() {}

  // Tells readable() where it is, as long as it is, from each wait() on.
  virtual Status watch(int descriptor) = 0;
  virtual void unwatch(int descriptor) = 0;

  // Returns after events, or when `deadline` has passed, or when settle() is to be asked again. No deadline: not for
  // the sake of the time.
  virtual Status wait(std::optional<MonotonicTime> deadline, BackendEvents& events) = 0;

  // Nothing runs and nothing more will be started: brings remains of commands to their end. True when all are gone;
  // else it is to be asked again after wait().
  virtual bool settle() = 0;
};

}  // namespace v1
}  // namespace hakuriver
