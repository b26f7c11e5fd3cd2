// What a task needs and the node has not: its environment's package, or an image of a registry.
#pragma once

#include <string>

#include "container/engine.hpp"
#include "container/options.hpp"

namespace hakuriver::container {

struct SuppliedImage {
  Image image{};
  bool is_brought = false;  // it was not here before
};

// The image, which is here when this returns good. Waits for whoever brings the same one, as long as it takes; a signal
// may end it at any moment. Errc::not_found, invalid_argument and denied are the task's fault, all others the node's;
// the message says all.
Result<SuppliedImage> supply_image(Engine& engine, const std::string& reference, const ImageSource& source);

}  // namespace hakuriver::container
