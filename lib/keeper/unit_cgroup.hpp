// The cgroups of a unit that somebody else makes and removes: a transient scope of systemd, or what a launching
// program of anybody's has made. systemd may keep its processes in version 2 and count them in version 1.
#pragma once

#include <string>
#include <string_view>

namespace hakuriver::keeper {

// Its directories, absolute; empty where the unit has none in such a hierarchy.
struct UnitCgroup {
  std::string unified;  // version 2, with or without controllers
  std::string freezer;  // version 1
  std::string cpuacct;
  std::string memory;
  std::string named;  // version 1, a hierarchy that only has a name, or one with another controller
  bool empty() const {
    return unified.empty() && freezer.empty() && cpuacct.empty() && memory.empty() && named.empty();
  }
  bool operator==(const UnitCgroup&) const = default;
};

// `cgroup`: the text of a /proc/PID/cgroup; `mounts`: that of /proc/self/mountinfo. Only what ends in the unit's name.
UnitCgroup find_unit_cgroup(std::string_view cgroup, std::string_view mounts, std::string_view unit);

}  // namespace hakuriver::keeper
