#include "engine/child_process.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

namespace hakuriver::engine {
namespace {

using platform::Descriptor;

Outcome outcome_of(int wait_status) noexcept {
  if (WIFSIGNALED(wait_status)) return {OutcomeKind::signaled, WTERMSIG(wait_status)};
  return {OutcomeKind::exited, WEXITSTATUS(wait_status)};
}

std::uint64_t microseconds_of(const timeval& time) noexcept {
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(time.tv_usec);
}

template <class Clock>
std::int64_t microseconds_now() {
  return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now().time_since_epoch()).count();
}

}  // namespace

Descriptor above_stdio(Descriptor descriptor) {
  if (!descriptor.is_open() || descriptor.get() > 2) return descriptor;
  return Descriptor(::fcntl(descriptor.get(), F_DUPFD_CLOEXEC, 3));
}

OutputPipe make_pipe() {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return {};
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  OutputPipe made{above_stdio(Descriptor(ends[0])), above_stdio(Descriptor(ends[1]))};
  if (!made.read_end.is_open() || !made.write_end.is_open()) return {};
  return made;
}

// No WNOHANG, as a tracer may have to let go of the process first.
void reap(pid_t pid, AttemptEnd& end) {
  int status = 0;
  rusage used{};
  pid_t reaped = -1;
  do {
    reaped = ::wait4(pid, &status, 0, &used);
  } while (reaped < 0 && errno == EINTR);
  if (reaped != pid) return;
  end.outcome = outcome_of(status);
  end.usage.cpu_microseconds = microseconds_of(used.ru_utime) + microseconds_of(used.ru_stime);
  end.usage.max_rss_bytes = static_cast<std::uint64_t>(used.ru_maxrss) * 1024;
}

MonotonicTime monotonic_now() { return {microseconds_now<std::chrono::steady_clock>()}; }
UtcTime utc_now() { return {microseconds_now<std::chrono::system_clock>()}; }

}  // namespace hakuriver::engine
