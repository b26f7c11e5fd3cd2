// What there is around a child process: its pipes, and what is read when it has ended.
#pragma once

#include <sys/types.h>

#include "hakuriver/backend.hpp"
#include "platform/descriptor.hpp"

namespace hakuriver::engine {

// A copy above the standard descriptors, where the one given is one of them: a child puts its descriptors in place one
// after the other.
platform::Descriptor above_stdio(platform::Descriptor descriptor);

struct OutputPipe {
  platform::Descriptor read_end;  // does not block
  platform::Descriptor write_end;
};

// Both ends are closed where the system refuses, with errno.
OutputPipe make_pipe();

// Reaps the process, which has ended. Outcome and usage stay unknown where somebody else has reaped it.
void reap(pid_t pid, AttemptEnd& end);

MonotonicTime monotonic_now();
UtcTime utc_now();

}  // namespace hakuriver::engine
