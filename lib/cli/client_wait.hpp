// Waiting for tasks that the host has: for ever, whatever becomes of the connection.
#pragma once

#include "cli/client_session.hpp"
#include "hakuriver/submit_request.hpp"

namespace hakuriver::cli {

// Each returns the exit status: a single task's own, or 0 if all succeeded and else 1; 130 where Ctrl-C ended the
// waiting, which the tasks do not notice.
int wait_for_submitted(ClientSession& session, const SubmitAnswer& answer);
int wait_for_ids(ClientSession& session);

}  // namespace hakuriver::cli
