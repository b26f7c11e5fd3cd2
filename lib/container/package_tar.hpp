// What a package says that it is, before an engine takes all that is in it.
#pragma once

#include <string>

#include "hakuriver/environment.hpp"
#include "hakuriver/result.hpp"

namespace hakuriver::container {

// The reference of the one image in the tar, which is one of the package: "hakuriver/NAME:VERSION", also behind a
// registry, or NAME:base instead where `is_old`. Errc::parse where the file is no such tar, holds more images or
// others, or could hold some that do not show: an engine would put them in the place of those that the node has. Only
// the headers are read, `manifest.json` and `index.json`, as `docker save` and `podman save` write them:
// https://github.com/moby/docker-image-spec. Compressed tars are none.
Result<std::string> reference_in(const std::string& path, const PackageKey& key, bool is_old);

}  // namespace hakuriver::container
