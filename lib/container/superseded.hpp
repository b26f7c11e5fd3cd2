// Versions of an environment that a node has and needs no more.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "container/engine.hpp"
#include "container/options.hpp"
#include "hakuriver/environment.hpp"

namespace hakuriver::container {

// What the package directory has of an environment.
struct Packaged {
  std::uint64_t current = 0;
  std::uint64_t newest = 0;
};

// Those of the references that can go when `loaded` has come: hakuriver/NAME:NUMBER, also as engines spell it with
// localhost/ or docker.io/ in front; the oldest first, at most 4, so that nobody waits for many. Kept are the loaded
// version, the current one, the newest others up to `keep` versions with the loaded one, and what is newer than every
// package: it is being packaged. With `keep` 0 nothing goes.
std::vector<std::string> find_superseded(const std::vector<std::string>& references, const PackageKey& loaded,
                                         Packaged packaged, std::uint32_t keep);

// Removes them from the engine. What a container uses stays, as the engine refuses that; any other failure ends this,
// and nobody hears of it: the next version that is loaded tries again.
void remove_superseded(Engine& engine, const ImageSource& source);

}  // namespace hakuriver::container
