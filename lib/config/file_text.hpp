// A small file as text.
#pragma once

#include <cstddef>
#include <string>

#include "hakuriver/result.hpp"

namespace hakuriver::config {

// What the system refused, as an Error: not_found, denied or io.
Error file_error(const std::string& what, int number);

// The rest of an open file; more than `most` bytes is Errc::limit. `path` names it in errors.
Result<std::string> read_rest(int file, const std::string& path, std::size_t most);

Result<std::string> read_text(const std::string& path, std::size_t most);

}  // namespace hakuriver::config
