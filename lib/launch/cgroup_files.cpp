#include "launch/cgroup_files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <optional>

namespace hakuriver::launch {
namespace {

bool has_word(std::string_view list, std::string_view word) {
  for (const auto each : split(list, ',')) {
    if (each == word) return true;
  }
  return false;
}

// Where a hierarchy is mounted, and which of its directories is the mount's root; mountinfo in proc(5): the fields
// behind the lone "-" are the type, the source and the options of the file system.
struct Mount {
  std::string point;
  std::string root;
};

std::optional<Mount> find_mount(std::string_view mounts, std::string_view controller) {
  for (const auto line : split(mounts, '\n')) {
    const auto dash = line.find(" - ");
    if (dash == std::string_view::npos) continue;
    const auto words = split(line.substr(0, dash), ' ');
    const auto kind = split(line.substr(dash + 3), ' ');
    if (words.size() < 5 || kind.size() < 3) continue;
    const bool fits = controller.empty() ? kind[0] == "cgroup2" : kind[0] == "cgroup" && has_word(kind[2], controller);
    if (fits) return Mount{std::string(words[4]), std::string(words[3])};
  }
  return std::nullopt;
}

}  // namespace

std::string read_text(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  std::string text;
  char buffer[4096];
  ssize_t count = 0;
  while (text.size() < 1u << 20 && (count = ::read(file, buffer, sizeof buffer)) > 0) {
    text.append(buffer, static_cast<std::size_t>(count));
  }
  ::close(file);
  return text;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const auto end = text.find(separator);
    parts.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return parts;
}

// Of the lines "7:memory:/system.slice/x" and "0::/system.slice/x".
std::string_view cgroup_path(std::string_view cgroups, std::string_view controller) {
  for (const auto line : split(cgroups, '\n')) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (first == std::string_view::npos || second == std::string_view::npos) continue;
    const auto names = line.substr(first + 1, second - first - 1);
    if (controller.empty() ? names.empty() : has_word(names, controller)) return line.substr(second + 1);
  }
  return {};
}

std::string cgroup_directory(std::string_view path, std::string_view controller) {
  const auto mount = find_mount(read_text("/proc/self/mountinfo"), controller);
  if (!mount) return {};
  if (mount->root != "/" && path.starts_with(mount->root)) path.remove_prefix(mount->root.size());
  return mount->point + std::string(path);
}

}  // namespace hakuriver::launch
