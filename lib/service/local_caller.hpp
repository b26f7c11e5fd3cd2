// Calls a handler in the same process: host and runner without a socket between them.
#pragma once

#include "hakuriver/caller.hpp"
#include "hakuriver/http.hpp"

namespace hakuriver::service {

// `handler` is called on the caller's thread and must outlive what the factory makes. A streamed reply arrives as a
// whole when the stream is closed, up to 64 MiB.
CallerFactory make_local_callers(HttpHandler handler);

}  // namespace hakuriver::service
