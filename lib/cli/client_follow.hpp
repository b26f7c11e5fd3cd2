// --follow-batch: what ends in a batch, as lines for programs.
//
//   batch ID COUNT
//   output INDEX stdout|stderr BYTES          and then so many bytes, with --with-outputs only
//   end INDEX COUNT ATTEMPT STATUS KIND VALUE STARTED ENDED CPU RSS OUT ERR MESSAGE
//
// docs/sweeps.md describes them.
#pragma once

#include <cstdint>

#include "cli/client_session.hpp"
#include "hakuriver/ids.hpp"

namespace hakuriver::cli {

// Until all has ended, however long the host is away. The exit status: whether all tasks succeeded.
int follow(ClientSession& session, BatchId batch, std::uint64_t count);
int follow_batch(ClientSession& session);

}  // namespace hakuriver::cli
