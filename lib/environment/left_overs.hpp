// What packagers that are no more left in the directory of packages.
#pragma once

#include <string>

namespace hakuriver::environment {

// Removes the halves of files of that environment, and manifests without a tar. Whoever calls it holds the
// environment's lock. What cannot be removed now is no package either.
void remove_left_overs(const std::string& directory, const std::string& name);

}  // namespace hakuriver::environment
