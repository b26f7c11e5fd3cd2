// Random numbers from the kernel, good enough for keys.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "hakuriver/result.hpp"

namespace hakuriver::platform {

Result<std::uint64_t> random_number();

// 2 x `bytes` lower-case hex digits; at most 1024 bytes.
Result<std::string> random_hex(std::size_t bytes);

}  // namespace hakuriver::platform
