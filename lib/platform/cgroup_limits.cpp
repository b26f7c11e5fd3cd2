#include "platform/cgroup_limits.hpp"

#include <algorithm>
#include <utility>

#include "platform/files.hpp"
#include "platform/mounts.hpp"
#include "platform/text_lines.hpp"

namespace hakuriver::platform {
namespace {

constexpr std::size_t kMaxProcText = std::size_t{16} << 20;
constexpr std::uint64_t kNoMemoryLimit = std::uint64_t{1} << 60;

bool names(std::string_view list, std::string_view word) {
  const auto items = split(list, ',');
  return std::find(items.begin(), items.end(), word) != items.end();
}

// The group's directories below one mount, own group first. `path` counts from the hierarchy's root, the mount may
// show only a part of it (a container without a cgroup namespace).
std::vector<std::string> directories_of(const Mount& mount, std::string_view path) {
  std::string_view below;
  if (mount.root == "/") {
    below = path;
  } else if (path.substr(0, mount.root.size()) == mount.root) {
    below = path.substr(mount.root.size());
  }
  std::vector<std::string> directories;
  while (!below.empty() && below != "/") {
    directories.push_back(mount.mount_point + std::string(below));
    below = below.substr(0, below.find_last_of('/'));
  }
  directories.push_back(mount.mount_point);
  return directories;
}

// The path of this process in the hierarchy that `controller` names; "" is v2.
std::string_view membership_path(std::string_view membership, std::string_view controller) {
  for (const std::string_view line : split(membership, '\n')) {
    const auto first = line.find(':');
    if (first == std::string_view::npos) continue;
    const auto second = line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    if (controller.empty() ? controllers.empty() : names(controllers, controller)) return line.substr(second + 1);
  }
  return {};
}

void keep_least(std::optional<std::uint64_t>& least, std::optional<std::uint64_t> value) {
  if (value && (!least || *value < *least)) least = value;
}

std::string read_or_empty(const std::string& path) {
  auto text = read_file(path, 4096);
  return text ? std::string(trim(*text)) : std::string();
}

}  // namespace

CgroupDirectories parse_cgroup_directories(std::string_view membership, std::string_view mountinfo) {
  CgroupDirectories found;
  const std::pair<std::string_view, std::vector<std::string>*> controllers[] = {
      {"cpu", &found.cpu}, {"memory", &found.memory}, {"cpuacct", &found.cpuacct}, {"freezer", &found.freezer}};
  for (const Mount& mount : parse_mountinfo(mountinfo)) {
    if (mount.type == "cgroup2" && found.unified.empty()) {
      found.unified = directories_of(mount, membership_path(membership, ""));
    }
    if (mount.type != "cgroup") continue;
    for (const auto& [controller, directories] : controllers) {
      if (!names(mount.options, controller) || !directories->empty()) continue;
      *directories = directories_of(mount, membership_path(membership, controller));
    }
  }
  return found;
}

CgroupDirectories read_cgroup_directories(const std::string& root) {
  const auto membership = read_file(root + "/proc/self/cgroup", kMaxProcText);
  const auto mountinfo = read_file(root + "/proc/self/mountinfo", kMaxProcText);
  if (!membership || !mountinfo) return {};
  return parse_cgroup_directories(*membership, *mountinfo);
}

std::optional<std::uint64_t> parse_cpu_quota(std::string_view text) {
  const auto fields = words(text);
  if (fields.size() != 2) return std::nullopt;
  const auto quota = to_number(fields[0]);
  const auto period = to_number(fields[1]);
  constexpr std::uint64_t kMaxMicroseconds = 1'000'000'000'000;
  if (!quota || !period || *period == 0 || *quota > kMaxMicroseconds) return std::nullopt;
  return *quota * 1000 / *period;
}

std::optional<std::uint64_t> parse_memory_limit(std::string_view text) {
  const auto limit = to_number(trim(text));
  if (!limit || *limit >= kNoMemoryLimit) return std::nullopt;
  return limit;
}

CgroupLimits read_cgroup_limits(const std::string& root) {
  const CgroupDirectories directories = read_cgroup_directories(root);
  CgroupLimits limits;
  for (const auto& directory : directories.unified) {
    keep_least(limits.millicores, parse_cpu_quota(read_or_empty(root + directory + "/cpu.max")));
    keep_least(limits.memory_bytes, parse_memory_limit(read_or_empty(root + directory + "/memory.max")));
  }
  for (const auto& directory : directories.cpu) {
    const std::string quota = read_or_empty(root + directory + "/cpu.cfs_quota_us");
    const std::string period = read_or_empty(root + directory + "/cpu.cfs_period_us");
    keep_least(limits.millicores, parse_cpu_quota(quota + " " + period));
  }
  for (const auto& directory : directories.memory) {
    keep_least(limits.memory_bytes, parse_memory_limit(read_or_empty(root + directory + "/memory.limit_in_bytes")));
  }
  return limits;
}

}  // namespace hakuriver::platform
