// Images of registries, also of those that want a login.
#pragma once

#include <string>

#include "container/engine.hpp"
#include "container/options.hpp"

namespace hakuriver::container {

// Gets the image by asking the engine, which knows no logins; where its registry does not give it to everybody, once
// more by the client program, which knows those that this process's user has made. What that is refused, too, says who
// is to log in where.
Status pull_image(Engine& engine, const std::string& reference, const ImageSource& source);

}  // namespace hakuriver::container
