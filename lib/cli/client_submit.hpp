// Submitting a command.
#pragma once

#include "cli/client_session.hpp"

namespace hakuriver::cli {

// Prints the ids of the tasks, one per line; waits for them where that was asked for. Returns the exit status.
int submit(ClientSession& session);

// The sweep of --sweep; follows it where that is asked for.
int submit_sweep(ClientSession& session);

}  // namespace hakuriver::cli
