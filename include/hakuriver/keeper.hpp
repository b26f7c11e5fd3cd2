// The port to the keeper: the small process that starts tasks, waits for them, and outlives its agent.
//
// A keeper holds a journal whose records are numbered from 1 without gaps within one session; every record that is
// not yet confirmed is reported again to each agent that connects. So the journal is also the outbox.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "hakuriver/argv.hpp"
#include "hakuriver/ids.hpp"
#include "hakuriver/outcome.hpp"
#include "hakuriver/result.hpp"
#include "hakuriver/time.hpp"

namespace hakuriver {
inline namespace v1 {

// One try at one task: what the keeper knows a process tree by.
struct AttemptKey {
  TaskId task;
  Attempt attempt;
  auto operator<=>(const AttemptKey&) const = default;
};

// Where a keeper's record numbers count: a journal, on one boot of the machine.
struct Session {
  std::string journal_id;  // 32 hex digits, made when the journal is made
  std::string boot_id;     // /proc/sys/kernel/random/boot_id, without its dashes
  bool operator==(const Session&) const = default;
};

// Below which directories a keeper makes a cgroup for each attempt: cgroups(7). Version 2 has one directory; version 1
// one for each controller, of which several may be the same. Empty: there is no such controller, or no cgroups at all.
struct CgroupParent {
  std::string unified;  // version 2, with whatever controllers are enabled there
  std::string freezer;  // version 1: these four, the freezer always
  std::string cpu;
  std::string cpuacct;
  std::string memory;
  bool limits_cores = false;   // what a StartRequest says of cores is enforced
  bool limits_memory = false;  // and of memory, swap included
  bool empty() const noexcept { return unified.empty() && freezer.empty(); }
  bool operator==(const CgroupParent&) const = default;
};

// Who a task runs as.
struct TaskUser {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups;  // the supplementary ones, and no others; at most 65536
  bool operator==(const TaskUser&) const = default;
};

inline constexpr std::size_t kMaxRefusal = 4096;

// Everything needed to start one attempt. All paths are absolute. The main process leads a session of its own, has no
// core dumps, and no descriptors but 0 to 2 (and 3, where `reports_start`).
struct StartRequest {
  AttemptKey key;
  Argv argv;                             // at least one word; looked up on the PATH in `environment` if it has no slash
  std::vector<std::string> environment;  // the whole environment, "NAME=value" each
  std::string working_directory;
  std::string stdout_path;  // created exclusively, mode 0640; its directory must exist
  std::string stderr_path;
  std::vector<std::uint32_t> cpus;         // the CPUs to bind to; empty: the keeper binds nothing
  std::optional<std::uint32_t> numa_node;  // the memory node to bind to where there are CPUs; kept for the listing
  std::uint64_t memory_bytes = 0;          // enforced in a cgroup; 0: no limit
  std::uint64_t millicores = 0;            // enforced in a cgroup; 0: not metered
  CgroupParent cgroup{};                   // empty: no cgroup is made, and nothing is enforced

  // None: the keeper's own user. Else the output files belong to this one, too, and the command is one that this user
  // may execute. A keeper that may not become this user never starts the attempt (EPERM).
  std::optional<TaskUser> user{};
  bool no_new_privileges = false;  // PR_SET_NO_NEW_PRIVS: no setuid program gives more than the user has
  std::int32_t niceness = 0;       // 0 to 19, added to the keeper's own

  // From the start, on the monotonic clock: it goes on while the attempt is paused, and also while no keeper runs. 0:
  // none. At the limit the whole tree gets TERM, after the grace KILL, and the outcome is timed_out, unless the attempt
  // was asked to end, or its main process had ended, before. At most a hundred years.
  std::chrono::milliseconds time_limit{0};
  std::chrono::milliseconds time_limit_grace{10'000};  // at most a day

  // The main process is first a launching program that executes the command in place at last. On its descriptor 3, a
  // pipe, it writes the text of its /proc/self/cgroup (at most 8 KiB; an empty line where it cannot tell) and has it
  // closed on execution: the end of the pipe after that text says that the command is executed, and `started` is told
  // then. Where it cannot execute the command it writes instead a NUL byte, the errno in decimal, a blank and one line
  // of message: the attempt ends as a failure to start does. One that ends and has written nothing is never_started,
  // with the first line that it wrote to its standard error as the message. Writing is never answered by SIGPIPE.
  bool reports_start = false;
  // The name of the unit that it enters, such as "hakuriver-task-17.scope": the cgroups in its report whose last part
  // is this name become the attempt's, made and removed by somebody else. Only with reports_start; `cgroup` is empty.
  std::string unit{};

  // Not empty: what runs is not below the keeper (a transient service, a container), and the main process is a client
  // that lives as long as it does. These are the words of a program to which the keeper appends one of: `pause`,
  // `resume`, `terminate` (TERM to all inside, paused or not), `kill` (KILL to all inside), and, when the main process
  // has ended, `finish`. It runs as the keeper does, input and errors on /dev/null, for at most 30 s. A verb that does
  // not exit with 0 has not done its work: all but pause and resume are repeated. `finish` removes what is left and
  // prints, one a line, "exited N", "signaled N", "oom_killed N", "never_started ERRNO MESSAGE" or "unknown", and where
  // it knows "message TEXT", "cpu_microseconds N" and "peak_bytes N" (at most 4 KiB in all): they count instead of the
  // main process's own status. Until it exits with 0 the attempt has not ended. At most 64 words and 4 KiB; `cgroup` is
  // empty.
  Argv control{};

  // Not empty: nothing is started, and the attempt ends as exited with 126 and this message; at most kMaxRefusal bytes
  // without a NUL.
  std::string refusal{};
};

enum class KeptState : std::uint8_t {
  running = 0,
  paused = 1,
  ended = 2,
};

// What a keeper knows of one attempt. `record`, `outcome`, `usage` and `ended_after` count only where state is ended.
struct KeptAttempt {
  AttemptKey key;
  KeptState state = KeptState::running;
  std::int64_t pid = 0;
  UtcTime started_at;
  std::uint64_t record = 0;  // the number of its `ended` record
  Outcome outcome;
  bool by_request = false;                   // it was asked to end before it did
  std::chrono::microseconds ended_after{0};  // monotonic, from the start
  Usage usage;
  std::uint64_t stdout_bytes = 0;
  std::uint64_t stderr_bytes = 0;
  std::string message;           // why it never started, or what was left behind; else empty
  std::uint64_t millicores = 0;  // as in its StartRequest, so that the next agent knows what is taken
  std::uint64_t memory_bytes = 0;
  std::optional<std::uint32_t> numa_node{};
  bool operator==(const KeptAttempt&) const = default;
};

// What a keeper answers when an agent takes it over.
struct KeeperListing {
  Session session;
  RunId run;                    // this agent's run: one more than the last
  std::string cluster_id;       // of the host whose tasks it holds; empty: none yet
  Epoch epoch;                  // the highest seen
  std::uint64_t confirmed = 0;  // records up to here were dropped
  std::vector<KeptAttempt>
      attempts;  // all that run, and all that ended and are not confirmed; by record, running ones last
};

enum class TaskSignal : std::uint8_t {
  terminate = 0,  // TERM and CONT to the whole tree, the grace, then KILL until nothing is left
  pause = 1,
  resume = 2,
};

// What the keeper tells of its own accord, in the order in which it happened. Called on the thread that calls
// KeeperPort::dispatch, never from inside another call.
struct KeeperEvents {
  std::function<void(const KeptAttempt&)> started;  // state running
  std::function<void(const KeptAttempt&)> changed;  // state paused or running again, after pause and resume
  std::function<void(const KeptAttempt&)> ended;    // the record is in the journal
  std::function<void(const Error&)> gone;           // the connection is lost; connect again
};

// One thread uses a port at a time.
class KeeperPort {
 public:
  virtual ~KeeperPort() = default;

  // Takes the keeper over, starting one where none runs. The agent that held it before is cut off. `cluster_id` and
  // `epoch` are stored before the listing is made; conflict where the keeper holds another cluster's attempts,
  // denied where it has seen a higher epoch.
  virtual Result<KeeperListing> take_over(const std::string& cluster_id, Epoch epoch) = 0;

  // internal, where the keeper that runs is of an earlier version and the request asks for what that one cannot do.
  // Writes the intent, starts the attempt, writes the start. An attempt that the keeper knows already is not
  // started again. What becomes of it arrives as an event; a failure to start is an `ended` with never_started, or
  // exited with 127 (not found) or 126 (not executable).
  virtual Status start(const StartRequest& request) = 0;

  // `grace` counts for terminate only.
  virtual Status signal(AttemptKey key, TaskSignal signal, std::chrono::milliseconds grace) = 0;

  // The host has committed all records up to here; they are dropped.
  virtual Status confirm(std::uint64_t record) = 0;

  // A descriptor that is readable when there is something to dispatch.
  virtual int descriptor() const = 0;
  virtual void dispatch(const KeeperEvents& events) = 0;
};

}  // namespace v1
}  // namespace hakuriver
