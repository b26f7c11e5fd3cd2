// What is done to a unit that runs, and what is asked of one that has ended.
#pragma once

#include "systemd/options.hpp"

namespace hakuriver::systemd {

// The verbs pause, resume, terminate, kill and finish. The status to exit with: 0 done, 75 not yet, to be asked again.
// `finish` prints how the task ended, where the unit or its files tell.
int control(const Options& options);

}  // namespace hakuriver::systemd
