#include "container/task_checks.hpp"

#include <errno.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "wire/json_text.hpp"

namespace hakuriver::container {
namespace {

constexpr std::size_t kShown = 256;

Status check_text(const std::string& what, const std::string& shown, const std::string& text) {
  if (wire::is_utf8(text)) return Unit{};
  return Error{Errc::denied,
               what + " '" + wire::to_utf8(shown.substr(0, kShown)) + "' is not UTF-8: a container engine takes none"};
}

bool is_missing(int error) { return error == ENOENT || error == ENOTDIR; }

Error missing(const Mount& mount) {
  return {Errc::not_found, "mount '" + mount.source + "': there is no such file or directory on this node"};
}

bool is_below(const std::string& path, const std::string& directory) {
  return directory == "/" || path == directory || path.starts_with(directory + "/");
}

Result<std::string> resolve(const Mount& mount, const std::vector<std::string>& allowed) {
  std::error_code failed;
  std::string real = std::filesystem::canonical(mount.source, failed).string();
  if (failed && is_missing(failed.value())) return missing(mount);
  if (failed) return Error{Errc::denied, "mount '" + mount.source + "': " + failed.message()};
  const auto holds = [&real](const std::string& one) {
    std::error_code unknown;
    const std::string directory = std::filesystem::canonical(one, unknown).string();
    return !unknown && is_below(real, directory);
  };
  if (std::any_of(allowed.begin(), allowed.end(), holds)) return real;
  return Error{Errc::denied, "mount '" + mount.source + "' is not allowed here: [docker] allow_mounts"};
}

}  // namespace

Status check_texts(const Options& options, const std::vector<std::string>& environment) {
  for (const auto& entry : environment) {
    if (auto ok = check_text("variable", entry.substr(0, entry.find('=')), entry); !ok) return ok;
  }
  for (const auto& word : options.command) {
    if (auto ok = check_text("argument", word, word); !ok) return ok;
  }
  for (const auto* mounts : {&options.container.mounts, &options.limited_mounts}) {
    for (const auto& mount : *mounts) {
      if (auto ok = check_text("mount", mount.source, mount.source); !ok) return ok;
      if (auto ok = check_text("mount", mount.target, mount.target); !ok) return ok;
    }
  }
  const auto& directory = options.container.working_directory;
  if (auto ok = check_text("working directory", directory, directory); !ok) return ok;
  return check_text("image", options.container.image, options.container.image);
}

Result<std::vector<Mount>> resolve_mounts(const Options& options) {
  std::vector<Mount> mounts = options.container.mounts;
  for (const auto& mount : mounts) {
    struct stat status {};
    if (::stat(mount.source.c_str(), &status) != 0 && is_missing(errno)) return missing(mount);
  }
  for (const auto& mount : options.limited_mounts) {
    auto source = resolve(mount, options.allow_mounts);
    if (!source) return source.error();
    mounts.push_back({std::move(*source), mount.target, mount.read_only});
  }
  return mounts;
}

}  // namespace hakuriver::container
