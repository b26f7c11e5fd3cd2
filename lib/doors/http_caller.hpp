// The caller's port over our HTTP client.
#pragma once

#include <string>
#include <string_view>

#include "hakuriver/caller.hpp"
#include "hakuriver/result.hpp"

namespace hakuriver::doors {

// Callers of the host at `url`, each with a connection of its own. A call that died on a connection kept from earlier
// is made once more: what the node routes take may come twice. Errc::invalid_argument for a URL or a token that cannot
// be one; an empty token is none.
Result<CallerFactory> make_http_callers(std::string_view url, std::string token);

}  // namespace hakuriver::doors
