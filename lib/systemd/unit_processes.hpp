// Where a unit's processes were, kept as long as the unit, which the manager does not tell any more when it has given
// up.
#pragma once

#include <string>
#include <string_view>

namespace hakuriver::systemd {

// Of the file in which what a process of the unit read in its /proc/self/cgroup is kept.
inline constexpr const char* kCgroupSuffix = ".cgroup";

// Whether any process is in the cgroup of that unit or below it. `cgroups` is the text of a /proc/PID/cgroup; a text
// that does not name the unit has none.
bool has_processes(std::string_view cgroups, std::string_view unit);

}  // namespace hakuriver::systemd
