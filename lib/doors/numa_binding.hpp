// Whether numactl(8) is there and may do its work on this machine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "hakuriver/result.hpp"

namespace hakuriver::doors {

// The path of the numactl to use; empty where the keeper has to bind. `configured` is a path or a name, which must work
// (Errc::invalid_argument), an empty text, which means no numactl, or nothing: the one on PATH, if it works. It is
// tried by binding to `numa_node`: containers often forbid that.
Result<std::string> find_numactl(const std::optional<std::string>& configured, std::uint32_t numa_node);

}  // namespace hakuriver::doors
