// What a task wrote, byte for byte.
#pragma once

#include "cli/client_session.hpp"

namespace hakuriver::cli {

// Of standard output, or of standard error with --stderr; both go to our standard output. Returns the exit status.
int show_output(ClientSession& session);

}  // namespace hakuriver::cli
