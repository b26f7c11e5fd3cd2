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

// Only what can be known to be missing: what we may not look at, the engine may. Errc::not_found names the mount.
Status check_mounts(const std::vector<Mount>& mounts);

}  // namespace hakuriver::container
