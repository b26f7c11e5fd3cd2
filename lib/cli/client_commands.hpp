// Orders to tasks and nodes: kill, pause, resume; drain, undrain, forget.
#pragma once

#include "cli/client_session.hpp"

namespace hakuriver::cli {

// Each returns the exit status.
int command_tasks(ClientSession& session, std::string_view verb);
int command_node(ClientSession& session, std::string_view verb);

}  // namespace hakuriver::cli
