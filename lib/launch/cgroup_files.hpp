// Where a process's cgroups are: /proc/PID/cgroup and /proc/PID/mountinfo in proc(5).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hakuriver::launch {

// A MiB of it at most; empty where it cannot be read.
std::string read_text(const std::string& path);

// The parts between the separators; an empty part at the end is none.
std::vector<std::string_view> split(std::string_view text, char separator);

// In the text of /proc/PID/cgroup the path for a controller, or for "name=systemd"; "": version 2. Empty: there is
// none.
std::string_view cgroup_path(std::string_view cgroups, std::string_view controller);

// Where this process sees that path, without a slash at its end; empty where it does not.
std::string cgroup_directory(std::string_view path, std::string_view controller);

}  // namespace hakuriver::launch
