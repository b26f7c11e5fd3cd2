#include "systemd/unit_processes.hpp"

#include <filesystem>
#include <system_error>

#include "launch/cgroup_files.hpp"

namespace hakuriver::systemd {

bool has_processes(std::string_view cgroups, std::string_view unit) {
  std::string_view controller = "name=systemd";
  auto path = launch::cgroup_path(cgroups, controller);
  if (path.empty()) path = launch::cgroup_path(cgroups, controller = "");
  if (!path.ends_with("/" + std::string(unit))) return false;
  const std::string directory = launch::cgroup_directory(path, controller);
  if (directory.empty()) return false;
  if (!launch::read_text(directory + "/cgroup.procs").empty()) return true;
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    const auto& file = entry->path();
    if (file.filename() == "cgroup.procs" && !launch::read_text(file.string()).empty()) return true;
  }
  return false;
}

}  // namespace hakuriver::systemd
