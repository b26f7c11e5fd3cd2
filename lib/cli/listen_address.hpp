// Where a program listens, as --listen has it.
#pragma once

#include <string_view>

#include "hakuriver/result.hpp"
#include "http/server.hpp"

namespace hakuriver::cli {

// "127.0.0.1:8000", "node1:0", "[::1]:8000"; port 0 lets the system choose. Errc::invalid_argument for anything else.
Result<http::ListenAddress> parse_listen(std::string_view text);

}  // namespace hakuriver::cli
