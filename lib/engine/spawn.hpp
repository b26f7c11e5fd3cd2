// Starts a process by clone(CLONE_VM | CLONE_VFORK) on data that is ready before: nothing of ours is copied, whatever
// the size of the program that calls, and nothing is allocated between clone and execve.
#pragma once

#include <signal.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <memory>
#include <vector>

#include "platform/descriptor.hpp"

namespace hakuriver::engine {

// What the new process is to be. The pointers are read before spawn() returns. Of its descriptors 0, 1 and 2 each is
// either the number itself, which is then inherited, or 3 and above; all others that are not close-on-exec go along.
struct SpawnRequest {
  const char* path = nullptr;               // no lookup
  char* const* argv = nullptr;              // ends with a null pointer
  char* const* environment = nullptr;       // likewise
  const char* working_directory = nullptr;  // null: ours
  int stdin_fd = 0;
  int stdout_fd = 1;
  int stderr_fd = 2;
  const int* nice = nullptr;  // its niceness, -20 to 19; null: ours
};

enum class SpawnStep : std::uint8_t { clone, working_directory, execute };

struct Spawned {
  pid_t pid = -1;  // also its process group; -1: there is none, and the rest says why
  platform::Descriptor pidfd;
  SpawnStep failed_step = SpawnStep::clone;
  int error_number = 0;
};

// The new process leads a process group of its own, has the signal mask and the limit on open files given here, and
// default actions for the signals that had handlers when the spawner was made. One thread uses a spawner at a time.
class Spawner {
 public:
  Spawner(const sigset_t& mask, const rlimit& open_files);

  // Returns when the program runs or has failed to.
  Spawned spawn(const SpawnRequest& request);

 private:
  struct FreeStack {
    void operator()(void* stack) const noexcept;
  };

  sigset_t mask_;
  rlimit open_files_;
  bool restores_open_files_;
  std::vector<int> handled_signals_;
  std::unique_ptr<void, FreeStack> stack_;
};

}  // namespace hakuriver::engine
