#include "platform/cgroup_subtree.hpp"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string_view>

#include "platform/descriptor.hpp"
#include "platform/files.hpp"
#include "platform/system_error.hpp"
#include "platform/text_lines.hpp"

namespace hakuriver::platform {
namespace {

constexpr std::string_view kLeaf = "/hakuriver-runner";
constexpr std::size_t kMaxProcesses = std::size_t{1} << 20;

// 0, or errno.
int write_value(const std::string& path, const std::string& text) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (file.get() < 0) return errno;
  return ::write(file.get(), text.data(), text.size()) < 0 ? errno : 0;
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

Status move_down(const std::string& own) {
  const auto processes = read_file(own + "/cgroup.procs", kMaxProcesses);
  if (!processes) return processes.error();
  const std::string self = std::to_string(::getpid());
  if (trim(*processes) != self) {
    return Error{Errc::conflict, "cgroup '" + own +
                                     "' holds other processes than this runner: start it in one of its own (systemd: "
                                     "Delegate=yes)"};
  }
  const std::string leaf = own + std::string(kLeaf);
  if (::mkdir(leaf.c_str(), 0755) != 0 && errno != EEXIST) return system_error("'" + leaf + "'", errno);
  const int error = write_value(leaf + "/cgroup.procs", self);
  if (error != 0) return system_error("'" + leaf + "'", error);
  return Unit{};
}

}  // namespace

Result<std::string> open_unified_subtree(const std::string& own_directory) {
  std::string base = own_directory;
  const bool is_below = base.ends_with(kLeaf);
  if (is_below) base.resize(base.size() - kLeaf.size());
  const bool is_root = !exists(base + "/cgroup.type");  // which every cgroup but the root has
  if (!is_root && !is_below) {
    if (const auto moved = move_down(base); !moved) return moved.error();
  }
  // One after the other: one that is not there must not hinder the other. Who uses them finds out.
  for (const char* controller : {"+cpu", "+memory"}) write_value(base + "/cgroup.subtree_control", controller);
  return base;
}

}  // namespace hakuriver::platform
