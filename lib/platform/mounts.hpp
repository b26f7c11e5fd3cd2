// What is mounted where, as /proc/<pid>/mountinfo tells it (proc(5)).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hakuriver::platform {

struct Mount {
  std::string device;       // "major:minor", as stat tells it
  std::string root;         // which directory of the file system is seen
  std::string mount_point;  // and where
  std::string type;         // such as "ext4", "nfs4" or "fuse.sshfs"
  std::string options;      // of the file system; for cgroup v1 they name its controllers
  bool operator==(const Mount&) const = default;
};

// Lines that do not follow the format are left out.
std::vector<Mount> parse_mountinfo(std::string_view text);

// Whether a file system of this type (as in mountinfo) is shared between machines or served by another one.
bool is_network_type(std::string_view type) noexcept;

}  // namespace hakuriver::platform
