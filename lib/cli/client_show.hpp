// What the host knows, for people (or, with --output json, for programs).
#pragma once

#include "cli/client_session.hpp"

namespace hakuriver::cli {

// Each returns the exit status.
int show_status(ClientSession& session);
int list_tasks(ClientSession& session);
int list_nodes(ClientSession& session);
int show_health(ClientSession& session);

}  // namespace hakuriver::cli
