// The floor that starting tasks is measured against: a loop of vfork and exec of the no-op that creates the same two
// output files for each.
#pragma once

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

namespace hakuriver::bench {

inline int create_output(const std::string& path) {
  return ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0640);
}

// Not inlined: what the caller keeps in registers must not be at the mercy of vfork.
[[gnu::noinline]] inline void spawn_one(const char* noop, int out, int err) {
  const char* const argv[] = {noop, nullptr};
  const char* const environment[] = {"PATH=/bin", nullptr};
  if (::vfork() != 0) return;
  ::setsid();
  ::dup2(out, 1);
  ::dup2(err, 2);
  ::execve(noop, const_cast<char* const*>(argv), const_cast<char* const*>(environment));
  ::_exit(127);
}

// Runs `count` of them, up to `at_once` at a time, with outputs in `directory`. Returns when all have ended.
inline void spawn_in_a_loop(const char* noop, const std::string& directory, unsigned count, unsigned at_once) {
  unsigned running = 0;
  for (unsigned i = 0; i < count; ++i) {
    const std::string name = directory + "/" + std::to_string(i);
    const int out = create_output(name + ".out");
    const int err = create_output(name + ".err");
    spawn_one(noop, out, err);
    ::close(out);
    ::close(err);
    if (++running == at_once) {
      ::wait(nullptr);
      --running;
    }
  }
  while (::wait(nullptr) > 0) {
  }
}

}  // namespace hakuriver::bench
