#include "keeper/spawn.hpp"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/mempolicy.h>
#include <linux/sched.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

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

namespace hakuriver::keeper {
namespace {

constexpr std::size_t kStackBytes = std::size_t{64} << 10;
constexpr std::size_t kBitsPerWord = sizeof(unsigned long) * 8;

// Shared with the child, which runs in the same memory while the caller stands still.
struct Call {
  const SpawnPlan* plan;
  bool is_in_cgroup;
  SpawnFailure failure;
};

// The C library has no wrapper for clone3, and a child on a stack of its own cannot return from one in C. -1 with
// errno.
long clone3_and_run(clone_args& arguments, int (*run)(void*), void* argument) {
  long result = -ENOSYS;
#if defined(__x86_64__)
  asm volatile(
      "syscall\n\t"
      "testq %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xorl %%ebp, %%ebp\n\t"  // the outermost frame
      "movq %[argument], %%rdi\n\t"
      "callq *%[run]\n\t"
      "hlt\n"
      "1:"
      : "=a"(result)
      : "0"(SYS_clone3), "D"(&arguments), "S"(sizeof arguments), [run] "r"(run), [argument] "r"(argument)
      : "rcx", "r11", "cc", "memory");
#elif defined(__aarch64__)
  register long number asm("x8") = SYS_clone3;
  register long first asm("x0") = reinterpret_cast<long>(&arguments);
  register long second asm("x1") = sizeof arguments;
  asm volatile(
      "svc #0\n\t"
      "cbnz x0, 1f\n\t"
      "mov x29, #0\n\t"  // the outermost frame
      "mov x0, %[argument]\n\t"
      "blr %[run]\n\t"
      "brk #0\n"
      "1:"
      : "+r"(first)
      : "r"(number), "r"(second), [run] "r"(run), [argument] "r"(argument)
      : "cc", "memory");
  result = first;
#else
  static_cast<void>(arguments), static_cast<void>(run), static_cast<void>(argument);
#endif
  if (result >= 0) return result;
  errno = static_cast<int>(-result);
  return -1;
}

bool place(int from, int to) { return from < 0 || ::dup2(from, to) >= 0; }

bool place_descriptors(const SpawnPlan& plan) {
  if (!place(plan.input, 0) || !place(plan.output, 1) || !place(plan.error, 2) || !place(plan.extra, 3)) return false;
  // Close-on-exec rather than closed: the keeper's lock stays held until the new program runs, so that no other
  // keeper looks for a child that has no name yet. Older kernels refuse the flag; ours all are close-on-exec anyway.
  ::syscall(SYS_close_range, plan.extra < 0 ? 3u : 4u, ~0u, CLOSE_RANGE_CLOEXEC);
  return true;
}

bool bind_memory(const SpawnPlan& plan) {
  if (plan.node_mask.empty()) return true;
  const auto bits = plan.node_mask.size() * kBitsPerWord + 1;  // the kernel reads one bit fewer than it is told
  if (::syscall(SYS_set_mempolicy, MPOL_BIND, plan.node_mask.data(), bits) == 0) return true;
  // A kernel without NUMA has node 0 only.
  return errno == ENOSYS && plan.node_mask.size() == 1 && plan.node_mask.front() == 1;
}

bool bind_cpus(const SpawnPlan& plan) {
  if (plan.cpu_mask.empty()) return true;
  return ::syscall(SYS_sched_setaffinity, 0, plan.cpu_mask.size() * sizeof(unsigned long), plan.cpu_mask.data()) >= 0;
}

bool lower_priority(int niceness) {
  if (niceness == 0) return true;
  const int own = ::getpriority(PRIO_PROCESS, 0);
  return ::setpriority(PRIO_PROCESS, 0, std::min(own + niceness, 19)) == 0;
}

// By the system calls themselves: those of the C library change every thread of the memory that we share.
bool become(const TaskUser* user) {
  if (user == nullptr) return true;
  return ::syscall(SYS_setgroups, user->groups.size(), user->groups.data()) == 0 &&
         ::syscall(SYS_setresgid, user->gid, user->gid, user->gid) == 0 &&
         ::syscall(SYS_setresuid, user->uid, user->uid, user->uid) == 0;
}

// As execvp does it: EACCES where one was found that may not be executed, and no other.
void execute(const SpawnPlan& plan) {
  if (plan.programs == nullptr) {
    ::execve(plan.program, plan.argv, plan.environment);
    return;
  }
  int error = ENOENT;
  for (auto program = plan.programs; *program != nullptr; ++program) {
    ::execve(*program, plan.argv, plan.environment);
    if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) return;
    if (errno == EACCES) error = EACCES;
  }
  errno = error;
}

void unblock_signals() {
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// Only async-signal-safe calls from here on: no allocation, no locks. Returns where it gave up.
SpawnStep run_child(const SpawnPlan& plan, bool is_in_cgroup) {
  for (const int cgroup : plan.cgroups) {
    if (!is_in_cgroup && ::write(cgroup, "0", 1) != 1) return SpawnStep::cgroup;
  }
  if (::setsid() < 0) return SpawnStep::session;
  if (!place_descriptors(plan)) return SpawnStep::descriptors;
  if (plan.open_files != nullptr && ::setrlimit(RLIMIT_NOFILE, plan.open_files) != 0) return SpawnStep::limits;
  if (!bind_cpus(plan)) return SpawnStep::cpus;
  if (!bind_memory(plan)) return SpawnStep::memory;
  if (!lower_priority(plan.niceness)) return SpawnStep::niceness;
  if (!become(plan.user)) return SpawnStep::user;
  if (plan.no_new_privileges && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return SpawnStep::privileges;
  if (plan.directory != nullptr && ::chdir(plan.directory) != 0) return SpawnStep::directory;
  if (plan.unblock_signals) unblock_signals();
  execute(plan);
  return SpawnStep::execute;
}

int child(void* argument) {
  auto& call = *static_cast<Call*>(argument);
  const SpawnStep step = run_child(*call.plan, call.is_in_cgroup);
  call.failure = SpawnFailure{step, errno};
  ::_exit(127);
}

}  // namespace

std::vector<unsigned long> mask_of(const std::vector<std::uint32_t>& numbers) {
  if (numbers.empty()) return {};
  const auto highest = *std::max_element(numbers.begin(), numbers.end());
  std::vector<unsigned long> mask(highest / kBitsPerWord + 1, 0);
  for (const auto number : numbers) mask[number / kBitsPerWord] |= 1ul << (number % kBitsPerWord);
  return mask;
}

void await_end(pid_t pid) {
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

Spawner::Spawner() : stack_(std::make_unique<std::byte[]>(kStackBytes)) {}

std::optional<SpawnFailure> Spawner::spawn(const SpawnPlan& plan, Spawned& spawned) {
  Call call{&plan, plan.birthplace >= 0, {}};
  int pidfd = -1;
  const auto bottom = reinterpret_cast<std::uintptr_t>(stack_.get());
  const std::uintptr_t top = (bottom + kStackBytes) & ~std::uintptr_t{15};  // as the ABI wants it
  constexpr int kFlags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD;
  pid_t pid = -1;
  if (call.is_in_cgroup) {
    clone_args arguments{};
    arguments.flags = kFlags | CLONE_INTO_CGROUP;
    arguments.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);
    arguments.exit_signal = SIGCHLD;
    arguments.stack = bottom;
    arguments.stack_size = top - bottom;
    arguments.cgroup = static_cast<std::uint64_t>(plan.birthplace);
    pid = static_cast<pid_t>(clone3_and_run(arguments, child, &call));
  }
  // Linux before 5.7 cannot, and what filters system calls may not let it: then the child goes there itself.
  if (pid < 0) {
    call.is_in_cgroup = false;
    pid = HAKURIVER_CLONE(child, reinterpret_cast<void*>(top), kFlags | SIGCHLD, &call, &pidfd);
  }
  if (pid < 0) return SpawnFailure{SpawnStep::clone, errno};
  Descriptor descriptor(pidfd);
  if (call.failure.error != 0) {
    ::waitpid(pid, nullptr, 0);
    return call.failure;
  }
  spawned.pid = pid;
  spawned.pidfd = std::move(descriptor);
  return std::nullopt;
}

// A handler of this process must not run in the child, which shares its memory.
std::optional<SpawnFailure> Spawner::spawn_with_signals_blocked(const SpawnPlan& plan, Spawned& spawned) {
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  auto failure = spawn(plan, spawned);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return failure;
}

}  // namespace hakuriver::keeper
