// Where a program is.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hakuriver::engine {

// The first executable regular file of that name in the directories of `path`, which is written as PATH is; an empty
// directory means the current one. A name with a slash is no such name: it gives nothing.
std::optional<std::string> find_program(std::string_view name, std::string_view path);

}  // namespace hakuriver::engine
