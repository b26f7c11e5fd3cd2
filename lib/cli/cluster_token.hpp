// The token that host, runners and clients of one cluster share, as the configuration names it.
#pragma once

#include <string>

#include "hakuriver/config.hpp"
#include "hakuriver/result.hpp"

namespace hakuriver::cli {

// Empty where the configuration asks for none. Where the token file is missing, it is made: whoever comes first on a
// machine, host or runner, makes it for both. Errc::not_found instead where `may_make` is false.
Result<std::string> cluster_token(const Config& config, bool may_make);

}  // namespace hakuriver::cli
