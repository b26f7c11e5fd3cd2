#include "container/task_checks.hpp"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "platform/descriptor.hpp"
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

// Of an open file, whatever led to it: proc(5), /proc/PID/fd.
std::string path_of(int file) {
  std::error_code failed;
  return std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(file), failed).string();
}

Status resolve(const Mount& mount, const std::vector<std::string>& allowed, ResolvedMounts& resolved) {
  const platform::Descriptor file(::open(mount.source.c_str(), O_PATH | O_CLOEXEC));
  struct stat status {};
  if (!file.is_open() || ::fstat(file.get(), &status) != 0) {
    if (is_missing(errno)) return missing(mount);
    return Error{Errc::denied, "mount '" + mount.source + "': " + std::generic_category().message(errno)};
  }
  const std::string real = path_of(file.get());
  const auto holds = [&real](const std::string& one) {
    std::error_code unknown;
    const std::string directory = std::filesystem::canonical(one, unknown).string();
    return !unknown && is_below(real, directory);
  };
  if (std::none_of(allowed.begin(), allowed.end(), holds)) {
    return Error{Errc::denied, "mount '" + mount.source + "' is not allowed here: [docker] allow_mounts"};
  }
  resolved.mounts.push_back({real, mount.target, mount.read_only});
  resolved.expected.push_back(std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino) + ":" + mount.target);
  return Unit{};
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

Result<ResolvedMounts> resolve_mounts(const Options& options) {
  ResolvedMounts resolved{options.container.mounts, {}};
  for (const auto& mount : resolved.mounts) {
    struct stat status {};
    if (::stat(mount.source.c_str(), &status) != 0 && is_missing(errno)) return missing(mount);
  }
  for (const auto& mount : options.limited_mounts) {
    if (const auto done = resolve(mount, options.allow_mounts, resolved); !done) return done.error();
  }
  return resolved;
}

}  // namespace hakuriver::container
