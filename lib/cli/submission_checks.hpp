// What can be known to be wrong with a submission before it is sent.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "hakuriver/result.hpp"
#include "hakuriver/submit_request.hpp"

namespace hakuriver::cli {

// "NAME=VALUE", split at the first '='. Errc::invalid_argument without '=', or without a name.
Result<std::pair<std::string, std::string>> parse_variable(std::string_view text);

// What the host would refuse whatever its state, said in the words of the command line.
Status check_submission(const SubmitRequest& request);

}  // namespace hakuriver::cli
