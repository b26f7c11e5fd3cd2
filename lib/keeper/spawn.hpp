// Starting a program without copying the caller's memory: clone(CLONE_VM | CLONE_VFORK), on data that was prepared
// before. The caller stands still until the child has executed its program or given up.
#pragma once

#include <sched.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "hakuriver/keeper.hpp"
#include "keeper/descriptor.hpp"

namespace hakuriver::keeper {

// Where a child gave up.
enum class SpawnStep : int {
  clone = 0,
  cgroup,
  session,
  descriptors,
  directory,
  limits,
  cpus,
  memory,
  niceness,
  user,
  privileges,
  execute
};

// Everything the child needs. All pointers outlive spawn().
struct SpawnPlan {
  const char* program = nullptr;       // a path; no search
  char* const* programs = nullptr;     // instead of it, paths of which the first that can be executed is meant
  char* const* argv = nullptr;         // ends in a null pointer
  char* const* environment = nullptr;  // ends in a null pointer
  const char* directory = nullptr;     // null: the caller's
  int input = -1;                      // these three become 0, 1 and 2; -1: the caller's
  int output = -1;
  int error = -1;
  int extra = -1;            // becomes 3; -1: nothing from 3 up stays open
  std::vector<int> cgroups;  // files that put whoever writes "0" into a cgroup
  // The directory of the one cgroup that `cgroups` stand for, where it is of version 2: the child is made in it, as
  // whoever goes there later waits for a grace period of the kernel, 10 ms and more on an idle machine. -1: none.
  int birthplace = -1;
  const rlimit* open_files = nullptr;  // null: the caller's
  bool unblock_signals = true;
  std::vector<unsigned long> cpu_mask;   // empty: the caller's
  std::vector<unsigned long> node_mask;  // empty: not bound
  const TaskUser* user = nullptr;        // null: the caller's
  bool no_new_privileges = false;
  int niceness = 0;  // more than the caller's
};

struct Spawned {
  pid_t pid = -1;
  Descriptor pidfd;
};

struct SpawnFailure {
  SpawnStep step = SpawnStep::clone;
  int error = 0;  // errno
};

// Bits of a kernel mask; every number must be below 8192.
std::vector<unsigned long> mask_of(const std::vector<std::uint32_t>& numbers);

// Waits until a child has ended, and reaps it.
void await_end(pid_t pid);

// One spawn at a time; holds the child's stack.
class Spawner {
 public:
  Spawner();

  // The child leads a session of its own. The caller's signal handlers must be the default ones, or its signals
  // blocked and unblock_signals false.
  std::optional<SpawnFailure> spawn(const SpawnPlan& plan, Spawned& spawned);
  // The same from a process with threads and handlers: all signals are blocked meanwhile, and stay so in the child.
  std::optional<SpawnFailure> spawn_with_signals_blocked(const SpawnPlan& plan, Spawned& spawned);

 private:
  std::unique_ptr<std::byte[]> stack_;
};

}  // namespace hakuriver::keeper
