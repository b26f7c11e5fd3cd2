// What is wrong with an attempt before any engine is asked for it.
#pragma once

#include <string>
#include <vector>

#include "container/options.hpp"
#include "hakuriver/result.hpp"

namespace hakuriver::container {

// Good where every word, path and variable can be said to an engine: its messages are JSON, and so UTF-8. Errc::denied
// names the first that is not: none is changed on its way.
Status check_texts(const Options& options, const std::vector<std::string>& environment);

// The mounts as the engine is to be asked for them: the limited ones without links, so that they are what was looked
// at. Errc::denied names one that leads out of where it may, and Errc::not_found one that is missing; of the others
// only what can be known to be: what we may not look at, the engine may.
Result<std::vector<Mount>> resolve_mounts(const Options& options);

}  // namespace hakuriver::container
