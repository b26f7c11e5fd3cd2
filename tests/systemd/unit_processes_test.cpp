#include "systemd/unit_processes.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <string>
#include <string_view>

#include "launch/cgroup_files.hpp"

using namespace hakuriver;
using namespace hakuriver::systemd;

TEST_CASE("the cgroup of this very process has processes, those of a unit that is not there have none") {
  const std::string own = launch::read_text("/proc/self/cgroup");
  std::string_view controller = "name=systemd";
  auto path = launch::cgroup_path(own, controller);
  if (path.empty()) path = launch::cgroup_path(own, controller = "");
  const bool is_seen = ::access((launch::cgroup_directory(path, controller) + "/cgroup.procs").c_str(), R_OK) == 0;
  const auto slash = path.rfind('/');
  if (is_seen && slash + 1 < path.size()) CHECK(has_processes(own, path.substr(slash + 1)));
  CHECK_FALSE(has_processes(own, "of-no-name.service"));
  CHECK_FALSE(has_processes("1:name=systemd:/a/gone.service\n0::/a/gone.service\n", "gone.service"));
  for (const std::string text : {"", "\n", "0::", ":", "0:name=systemd:"})
    CHECK_FALSE(has_processes(text, "gone.service"));
}
