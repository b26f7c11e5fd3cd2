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

struct ResolvedMounts {
  std::vector<Mount> mounts{};
  std::vector<std::string> expected{};  // what must be found inside: "DEVICE:INODE:TARGET" each
};

// The mounts as the engine is to be asked for them: the limited ones without links. An engine follows their paths once
// more, so what was looked at here is expected inside. Errc::denied names one that leads out of where it may, and
// Errc::not_found one that is missing; of the others only what can be known to be: what we may not look at, the engine
// may.
Result<ResolvedMounts> resolve_mounts(const Options& options);

}  // namespace hakuriver::container
