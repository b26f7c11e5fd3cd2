#include "engine/spawn.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <new>

// ThreadSanitizer takes clone() for fork(): in the child, which shares our memory, it would stop watching this thread.
// The C library's other name for it is left alone.
#if defined(__SANITIZE_THREAD__)
#define HAKURIVER_CLONE __clone
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HAKURIVER_CLONE __clone
#endif
#endif
#if defined(HAKURIVER_CLONE)
extern "C" int __clone(int (*run)(void*), void* stack, int flags, void* argument, ...);
#else
#define HAKURIVER_CLONE ::clone
#endif

namespace hakuriver::engine {
namespace {

constexpr std::size_t kStackSize = 64 * 1024;

// What the child needs, in memory that it shares with us; it leaves there how far it came.
struct ChildPlan {
  const SpawnRequest* request;
  const sigset_t* mask;
  const rlimit* open_files;  // null: unchanged
  const int* handled_signals;
  std::size_t handled_signal_count;
  SpawnStep step = SpawnStep::execute;
  int error_number = 0;
};

// The child runs on our memory, so it makes system calls and nothing else: libc's wrappers may be instrumented, and
// must not be run twice in one address space.
#if defined(__clang__)
#define HAKURIVER_UNINSTRUMENTED __attribute__((no_sanitize("address", "thread", "undefined")))
#else
#define HAKURIVER_UNINSTRUMENTED __attribute__((no_sanitize_address, no_sanitize_thread, no_sanitize_undefined))
#endif

constexpr std::size_t kKernelSignalSetSize = 8;

HAKURIVER_UNINSTRUMENTED void set_descriptor(int from, int to) {
  if (from != to) ::syscall(SYS_dup3, from, to, 0);
}

HAKURIVER_UNINSTRUMENTED int run_child(void* argument) {
  auto& plan = *static_cast<ChildPlan*>(argument);
  const SpawnRequest& request = *plan.request;
  ::syscall(SYS_setpgid, 0, 0);
  // The kernel's struct sigaction, all zero: the default action.
  const unsigned long default_action[4] = {0, 0, 0, 0};
  for (std::size_t i = 0; i < plan.handled_signal_count; ++i) {
    ::syscall(SYS_rt_sigaction, plan.handled_signals[i], default_action, nullptr, kKernelSignalSetSize);
  }
  set_descriptor(request.stdin_fd, 0);
  set_descriptor(request.stdout_fd, 1);
  set_descriptor(request.stderr_fd, 2);
  if (request.nice != nullptr) ::syscall(SYS_setpriority, PRIO_PROCESS, 0, *request.nice);
  if (plan.open_files != nullptr) ::syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, plan.open_files, nullptr);
  if (request.working_directory != nullptr && ::syscall(SYS_chdir, request.working_directory) != 0) {
    plan.step = SpawnStep::working_directory;
  } else {
    ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, plan.mask, nullptr, kKernelSignalSetSize);
    ::syscall(SYS_execve, request.path, request.argv, request.environment);
  }
  plan.error_number = errno;
  ::syscall(SYS_exit_group, 127);
  return 127;
}

std::vector<int> find_handled_signals() {
  std::vector<int> handled;
  for (int number = 1; number < NSIG; ++number) {
    struct sigaction action {};
    if (::sigaction(number, nullptr, &action) != 0) continue;
    if (action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN) handled.push_back(number);
  }
  return handled;
}

}  // namespace

void Spawner::FreeStack::operator()(void* stack) const noexcept { ::munmap(stack, kStackSize); }

Spawner::Spawner(const sigset_t& mask, const rlimit& open_files) : mask_(mask), open_files_(open_files) {
  rlimit now{};
  ::getrlimit(RLIMIT_NOFILE, &now);
  restores_open_files_ = now.rlim_cur != open_files.rlim_cur;
  handled_signals_ = find_handled_signals();
  void* stack = ::mmap(nullptr, kStackSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) throw std::bad_alloc();
  stack_.reset(stack);
}

Spawned Spawner::spawn(const SpawnRequest& request) {
  ChildPlan plan{&request, &mask_, restores_open_files_ ? &open_files_ : nullptr, handled_signals_.data(),
                 handled_signals_.size()};
  // A handler of ours must not run in the child, which shares our memory until it executes.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  int pidfd = -1;
  char* const stack_top = static_cast<char*>(stack_.get()) + kStackSize;
  const pid_t pid =
      HAKURIVER_CLONE(run_child, stack_top, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &plan, &pidfd);
  const int clone_error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);

  Spawned spawned;
  if (pid < 0) {
    spawned.error_number = clone_error;
    return spawned;
  }
  spawned.pidfd = platform::Descriptor(pidfd);
  if (plan.error_number == 0) {
    spawned.pid = pid;
    return spawned;
  }
  ::waitpid(pid, nullptr, 0);
  spawned.failed_step = plan.step;
  spawned.error_number = plan.error_number;
  return spawned;
}

}  // namespace hakuriver::engine
