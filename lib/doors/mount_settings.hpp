// What a configuration says of mounts, for host and runner.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "hakuriver/result.hpp"

namespace hakuriver::doors {

// Whether they can be meant: mounts as parse_mount() reads them, and absolute paths. invalid_argument names the key of
// the configuration.
Status check_mount_settings(const std::vector<std::string>& additional_mounts,
                            const std::optional<std::vector<std::string>>& allow_mounts);

}  // namespace hakuriver::doors
