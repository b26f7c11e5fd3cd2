#include "environment/left_overs.hpp"

#include <unistd.h>

#include <filesystem>
#include <string_view>
#include <system_error>
#include <vector>

#include "environment/packages.hpp"

namespace hakuriver::environment {
namespace {

constexpr std::string_view kPart = ".part";

std::string_view without(std::string_view text, std::string_view end) {
  return text.ends_with(end) ? text.substr(0, text.size() - end.size()) : std::string_view();
}

// Whether the file is what a packager of this environment, who is no more, was writing.
bool is_left_over(std::string_view file, const std::string& name) {
  if (file.starts_with('.') && file.ends_with(kPart)) {
    const auto written = without(file.substr(1), kPart);
    const auto manifest = without(written, ".json");
    const auto key = parse_package_file(manifest.empty() ? std::string(written) : std::string(manifest) + ".tar");
    return written == current_file(name) || written == newest_file(name) || (key && key->name == name);
  }
  return false;
}

// A manifest is written before its tar.
bool is_without_tar(const std::string& directory, std::string_view file, const std::string& name) {
  const auto stem = without(file, ".json");
  const auto key = parse_package_file(std::string(stem) + ".tar");
  return !stem.empty() && key && key->name == name &&
         ::access((directory + "/" + package_file(*key)).c_str(), F_OK) != 0;
}

}  // namespace

void remove_left_overs(const std::string& directory, const std::string& name) {
  std::error_code failed;
  std::filesystem::directory_iterator files(directory, failed);
  std::vector<std::string> found;
  for (; !failed && files != std::filesystem::directory_iterator(); files.increment(failed)) {
    const std::string file = files->path().filename().native();
    if (is_left_over(file, name) || is_without_tar(directory, file, name)) found.push_back(files->path().native());
  }
  for (const auto& path : found) ::unlink(path.c_str());
}

}  // namespace hakuriver::environment
