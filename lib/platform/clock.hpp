// The machine's two clocks. Decisions get the time handed in; only the shell around them asks here.
#pragma once

#include "hakuriver/time.hpp"

namespace hakuriver::platform {

// CLOCK_BOOTTIME: it goes on while the machine sleeps, so that a start time plus a duration is the time people see,
// and it counts like the start times in /proc/<pid>/stat. A deadline that passes during sleep comes late once, which
// the host's rule for late ticks covers.
MonotonicTime monotonic_now() noexcept;

UtcTime utc_now() noexcept;

Now now() noexcept;

}  // namespace hakuriver::platform
