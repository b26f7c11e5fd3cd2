// The manager's own interface on the bus: org.freedesktop.systemd1(5).
#pragma once

#include "hakuriver/result.hpp"
#include "systemd/options.hpp"

namespace hakuriver::systemd {

// Puts this process into a new scope of that name and with those limits; it is in there when this returns. unavailable
// where the manager cannot be reached this way, and nothing was asked of it: systemd-run(1) may know another.
Status enter_scope(const Options& options);

}  // namespace hakuriver::systemd
