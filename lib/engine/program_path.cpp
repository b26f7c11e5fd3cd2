#include "engine/program_path.hpp"

#include <sys/stat.h>
#include <unistd.h>

namespace hakuriver::engine {
namespace {

bool is_program(const std::string& file) {
  struct stat status {};
  return ::stat(file.c_str(), &status) == 0 && S_ISREG(status.st_mode) && ::access(file.c_str(), X_OK) == 0;
}

}  // namespace

std::optional<std::string> find_program(std::string_view name, std::string_view path) {
  if (name.empty() || name.find('/') != std::string_view::npos) return std::nullopt;
  while (true) {
    const auto colon = path.find(':');
    std::string file(path.substr(0, colon));
    file += file.empty() ? "./" : "/";
    file += name;
    if (is_program(file)) return file;
    if (colon == std::string_view::npos) return std::nullopt;
    path.remove_prefix(colon + 1);
  }
}

}  // namespace hakuriver::engine
