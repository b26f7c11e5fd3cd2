// One value as it was given, and how it becomes one of Config's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/schema.hpp"
#include "hakuriver/result.hpp"

namespace hakuriver::config {

// A value of the file. Whatever no key takes (tables, dates) is named by `Other`.
struct Other {
  std::string_view name;
};
using Given = std::variant<Other, bool, std::int64_t, double, std::string, std::vector<std::string>>;

// Where relative paths count from, and what "~/" is.
struct PathBase {
  std::string directory;       // absolute
  std::string home_directory;  // of the user; empty: not known
};

// Checks the value and puts it into `config`. The error names neither key nor source: "'x' is not a number: ...".
Status apply_setting(const Key& key, const Given& given, const PathBase& base, Config& config);

// A text of the environment or the command line as the key's kind wants it: lists are separated by commas.
Result<Given> read_setting(const Key& key, const std::string& text);

// Whether the key's value differs from the default and does nothing yet.
bool is_without_effect(const Key& key, Config& config);

// In quotes, control bytes replaced, cut at 64 bytes: fit for a line of error.
std::string quote(std::string_view text);

// An absolute path without "." and ".." and without a slash at its end.
Result<std::string> resolve_path(const std::string& path, const PathBase& base);

}  // namespace hakuriver::config
