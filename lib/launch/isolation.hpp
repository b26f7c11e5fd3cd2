// Namespaces of a task's own, and the process that stays outside of them: namespaces(7), pid_namespaces(7).
#pragma once

#include <optional>
#include <string>

#include "launch/start_report.hpp"

namespace hakuriver::launch {

// This process has no network but a loopback from now on.
std::optional<ExecFailure> enter_private_network();

// What a call of split() came back as.
enum class Side {
  command,  // a new process, that goes on to the command
  outside,  // the command has ended; `wait_status` tells how
  failed,   // no process was made; `failure` tells why
};

struct Split {
  Side side = Side::failed;
  int wait_status = 0;
  ExecFailure failure{};
};

// Goes on in a child, and comes back in this process when that has ended. With `private_pid` the child sees only its
// own descendants in /proc: a first process, number 1, takes care of orphans and ends what the command left behind,
// with TERM, and KILL 2 s later. This process blocks all signals, so that one sent to the whole tree leaves it to tell
// how the command ended; `report` is closed in it.
Split split(bool private_pid, StartReport& report);

// Ends this process as the command ended. A core is the command's to leave, not ours.
[[noreturn]] void end_as(int wait_status);

}  // namespace hakuriver::launch
