#include "doors/mount_settings.hpp"

#include "hakuriver/docker_run.hpp"

namespace hakuriver::doors {

Status check_mount_settings(const std::vector<std::string>& additional_mounts,
                            const std::optional<std::vector<std::string>>& allow_mounts) {
  for (const auto& text : additional_mounts) {
    const auto mount = parse_mount(text);
    if (!mount) return Error{Errc::invalid_argument, "additional_mounts: " + mount.error().message};
  }
  for (const auto& directory : allow_mounts.value_or(std::vector<std::string>{})) {
    if (directory.starts_with('/')) continue;
    return Error{Errc::invalid_argument, "allow_mounts: '" + directory + "': expected an absolute path"};
  }
  return Unit{};
}

}  // namespace hakuriver::doors
