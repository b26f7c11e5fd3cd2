#include "keeper/unit_cgroup.hpp"

#include <algorithm>
#include <array>

namespace hakuriver::keeper {
namespace {

std::string_view next_part(std::string_view& text, char separator) {
  const auto end = std::min(text.find(separator), text.size());
  const auto part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return part;
}

bool lists(std::string_view list, std::string_view wanted) {
  while (!list.empty()) {
    if (next_part(list, ',') == wanted) return true;
  }
  return false;
}

// Where the hierarchy of a controller ("": version 2) shows a path: proc(5), /proc/PID/mountinfo.
std::string directory_of(std::string_view mounts, std::string_view controller, std::string_view path) {
  while (!mounts.empty()) {
    auto line = next_part(mounts, '\n');
    const auto dash = line.find(" - ");
    if (dash == std::string_view::npos) continue;
    auto behind = line.substr(dash + 3);
    const auto type = next_part(behind, ' ');
    next_part(behind, ' ');  // the source
    if (controller.empty() ? type != "cgroup2" : (type != "cgroup" || !lists(behind, controller))) continue;
    for (int field = 0; field < 3; ++field) next_part(line, ' ');
    const auto root = next_part(line, ' ');
    const auto point = next_part(line, ' ');
    if (root == "/") return std::string(point) + std::string(path);
    if (path.starts_with(root)) return std::string(point) + std::string(path.substr(root.size()));
  }
  return {};
}

}  // namespace

UnitCgroup find_unit_cgroup(std::string_view cgroup, std::string_view mounts, std::string_view unit) {
  UnitCgroup found;
  const std::string ending = "/" + std::string(unit);
  while (!cgroup.empty()) {
    auto path = next_part(cgroup, '\n');
    next_part(path, ':');  // the hierarchy's number
    const auto controllers = next_part(path, ':');
    if (unit.empty() || !path.ends_with(ending)) continue;
    auto first = controllers;
    const auto directory = directory_of(mounts, next_part(first, ','), path);
    if (controllers.empty()) found.unified = directory;
    if (lists(controllers, "freezer")) found.freezer = directory;
    if (lists(controllers, "cpuacct")) found.cpuacct = directory;
    if (lists(controllers, "memory")) found.memory = directory;
    const std::array known{&found.unified, &found.freezer, &found.cpuacct, &found.memory};
    if (std::none_of(known.begin(), known.end(), [&](const auto* one) { return *one == directory; })) {
      found.named = directory;
    }
  }
  return found;
}

}  // namespace hakuriver::keeper
