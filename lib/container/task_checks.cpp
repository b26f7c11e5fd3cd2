#include "container/task_checks.hpp"

#include <errno.h>
#include <sys/stat.h>

#include "wire/json_text.hpp"

namespace hakuriver::container {
namespace {

constexpr std::size_t kShown = 256;

Status check_text(const std::string& what, const std::string& shown, const std::string& text) {
  if (wire::is_utf8(text)) return Unit{};
  return Error{Errc::denied,
               what + " '" + wire::to_utf8(shown.substr(0, kShown)) + "' is not UTF-8: a container engine takes none"};
}

}  // namespace

Status check_texts(const Options& options, const std::vector<std::string>& environment) {
  for (const auto& entry : environment) {
    if (auto ok = check_text("variable", entry.substr(0, entry.find('=')), entry); !ok) return ok;
  }
  for (const auto& word : options.command) {
    if (auto ok = check_text("argument", word, word); !ok) return ok;
  }
  for (const auto& mount : options.container.mounts) {
    if (auto ok = check_text("mount", mount.source, mount.source); !ok) return ok;
    if (auto ok = check_text("mount", mount.target, mount.target); !ok) return ok;
  }
  const auto& directory = options.container.working_directory;
  if (auto ok = check_text("working directory", directory, directory); !ok) return ok;
  return check_text("image", options.container.image, options.container.image);
}

Status check_mounts(const std::vector<Mount>& mounts) {
  for (const auto& mount : mounts) {
    struct stat status {};
    if (::stat(mount.source.c_str(), &status) == 0 || (errno != ENOENT && errno != ENOTDIR)) continue;
    return Error{Errc::not_found, "mount '" + mount.source + "': there is no such file or directory on this node"};
  }
  return Unit{};
}

}  // namespace hakuriver::container
