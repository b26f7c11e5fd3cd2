// The digest by which a package is known to be whole: SHA-256 (FIPS 180-4), in lower-case hexadecimal.
#pragma once

#include <string>
#include <string_view>

#include "hakuriver/result.hpp"

namespace hakuriver::environment {

// Of a whole file, which is read in small pieces. Errc::not_found, or io for what the system refuses.
Result<std::string> sha256_of_file(const std::string& path);

std::string sha256_of(std::string_view bytes);

bool is_sha256(std::string_view text) noexcept;

}  // namespace hakuriver::environment
