#include "environment/packages.hpp"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "environment/left_overs.hpp"
#include "environment/sha256.hpp"

namespace hakuriver::environment {
namespace {

constexpr std::size_t kMaxCurrentBytes = 64;

Error system_error(const std::string& path, int number) {
  const Errc code = number == ENOENT || number == ENOTDIR ? Errc::not_found : Errc::io;
  return {code, "'" + path + "': " + std::generic_category().message(number)};
}

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// What of it is not as it has to be; empty: nothing.
std::string describe_untrusted(const struct stat& facts, const struct stat& above) {
  if (S_ISLNK(facts.st_mode)) return "is a link";
  if (!S_ISDIR(facts.st_mode)) return "is no directory";
  const bool is_owned = facts.st_uid == 0 || facts.st_uid == ::geteuid() || facts.st_uid == above.st_uid;
  if (!is_owned) return "belongs to user " + std::to_string(facts.st_uid);
  return (facts.st_mode & S_IWOTH) != 0 ? "can be written to by everybody" : "";
}

bool is_missing(const std::error_code& failed) {
  return failed == std::errc::no_such_file_or_directory || failed == std::errc::not_a_directory;
}

std::optional<std::uint64_t> size_of(const std::string& path) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0 || !S_ISREG(facts.st_mode)) return std::nullopt;
  return static_cast<std::uint64_t>(facts.st_size);
}

Status write_synced(const std::string& path, std::string_view contents) {
  const platform::Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!file.is_open()) return system_error(path, errno);
  ::fchmod(file.get(), 0644);  // whoever reads it may be another user
  while (!contents.empty()) {
    const ssize_t written = ::write(file.get(), contents.data(), contents.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return system_error(path, errno);
    contents.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fsync(file.get()) != 0) return system_error(path, errno);
  return Unit{};
}

// What is there stays as it is, also a link.
Status make_public_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) == 0) {
    ::chmod(path.c_str(), 0755);  // whatever our umask is
  } else if (errno != EEXIST && ::access(path.c_str(), X_OK) != 0) {
    return system_error(path, errno);
  }
  return Unit{};
}

Status remove_file(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return system_error(path, errno);
  return Unit{};
}

// What the file says; none where there is no file.
Result<std::optional<std::uint64_t>> read_current(const std::string& path) {
  const auto text = platform::read_file(path, kMaxCurrentBytes);
  if (!text && text.error().code == Errc::not_found) return std::optional<std::uint64_t>();
  if (!text) return text.error();
  const std::string_view line(*text);
  const auto version = parse_package_version(line.substr(0, std::min(line.find('\n'), line.size())));
  if (!version) return Error{Errc::io, "'" + path + "' does not hold a version"};
  return version;
}

}  // namespace

Status write_part(const std::string& directory, const std::string& file, std::string_view contents) {
  const std::string temporary = directory + "/" + part_of(file);
  auto written = write_synced(temporary, contents);
  if (!written) ::unlink(temporary.c_str());
  return written;
}

Status rename_part(const std::string& directory, const std::string& file) {
  const std::string path = directory + "/" + file;
  if (std::rename((directory + "/" + part_of(file)).c_str(), path.c_str()) != 0) return system_error(path, errno);
  return Unit{};
}

Status replace_file(const std::string& directory, const std::string& file, std::string_view contents) {
  if (auto written = write_part(directory, file, contents); !written) return written;
  return rename_part(directory, file);
}

Status Packages::check_directory() const {
  std::string path = directory_;
  while (path.size() > 1 && path.back() == '/') path.pop_back();  // behind which a link is what it leads to
  struct stat facts {};
  struct stat above {};
  if (::lstat(path.c_str(), &facts) != 0 || ::stat(parent_of(path).c_str(), &above) != 0) {
    return errno == ENOENT || errno == ENOTDIR ? Status(Unit{}) : system_error(path, errno);
  }
  const std::string wrong = describe_untrusted(facts, above);
  if (wrong.empty()) return Unit{};
  const std::string users = ::geteuid() == 0 ? "root" : "root or user " + std::to_string(::geteuid());
  return Error{Errc::conflict, "the directory of packages '" + path + "' " + wrong + ": expected a directory of " +
                                   users + " that others cannot write to"};
}

Status Packages::make_directory() const {
  // What is further above may be somebody's home, with more in it than this.
  const std::string shared = parent_of(directory_);
  if (auto made = platform::create_private_directory(parent_of(shared)); !made) return made;
  for (const auto& path : {shared, directory_}) {
    if (auto made = make_public_directory(path); !made) return made;
  }
  return check_directory();
}

Result<std::vector<Package>> Packages::list(const std::string& name) const {
  std::vector<Package> packages;
  std::error_code failed;
  std::filesystem::directory_iterator files(directory_, failed);
  std::size_t count = 0;
  for (; !failed && files != std::filesystem::directory_iterator(); files.increment(failed)) {
    if (++count > kMaxFiles) {
      return Error{Errc::limit, "'" + directory_ + "' has more than " + std::to_string(kMaxFiles) + " files"};
    }
    auto key = parse_package_file(files->path().filename().native());
    if (!key || (!name.empty() && key->name != name)) continue;
    const auto size = size_of(files->path().native());
    if (size) packages.push_back({std::move(*key), *size});
  }
  if (failed && !is_missing(failed)) return Error{Errc::io, "'" + directory_ + "': " + failed.message()};
  std::sort(packages.begin(), packages.end(), [](const Package& a, const Package& b) { return a.key < b.key; });
  return packages;
}

Result<std::optional<std::uint64_t>> Packages::current(const std::string& name) const {
  if (auto trusted = check_directory(); !trusted) return trusted.error();
  auto told = read_current(current_path(name));
  if (!told) return told.error();
  if (*told) {
    if (auto found = find({name, **told}); !found) return found.error();
    return told;
  }
  const auto packages = list(name);
  if (!packages) return packages.error();
  return packages->empty() ? std::optional<std::uint64_t>() : packages->back().key.version;
}

Result<std::uint64_t> Packages::newest(const std::string& name) const {
  const auto all = list(name);
  if (!all) return all.error();
  const auto noted = read_current(directory_ + "/" + newest_file(name));
  if (!noted) return noted.error();
  // It may name one that was removed. What it says else is no reason not to make a new package.
  const auto told = read_current(current_path(name));
  const std::uint64_t there = all->empty() ? 0 : all->back().key.version;
  return std::max({there, noted->value_or(0), told ? told->value_or(0) : 0});
}

Status Packages::note_newest(const PackageKey& key) const {
  if (key.version >= kMaxPackageVersion) return Unit{};  // nobody of ours made that, and nothing would be above it
  const auto noted = read_current(directory_ + "/" + newest_file(key.name));
  if (!noted) return noted.error();
  const std::uint64_t newest = std::max(noted->value_or(0), key.version);
  return replace_file(directory_, newest_file(key.name), std::to_string(newest) + "\n");
}

Status Packages::find(const PackageKey& key) const {
  if (auto trusted = check_directory(); !trusted) return trusted;
  struct stat facts {};
  if (::stat(tar_path(key).c_str(), &facts) == 0) {
    if (S_ISREG(facts.st_mode)) return Unit{};
    return Error{Errc::not_found, "'" + tar_path(key) + "' is not a regular file"};
  }
  if (errno != ENOENT && errno != ENOTDIR) return system_error(tar_path(key), errno);
  return Error{Errc::not_found, "package '" + to_string(key) + "' is not in '" + directory_ + "'"};
}

Result<std::optional<Manifest>> Packages::manifest(const PackageKey& key) const {
  const std::string path = manifest_path(key);
  const auto text = platform::read_file(path, kMaxManifestBytes);
  if (!text && text.error().code == Errc::not_found) return std::optional<Manifest>();
  if (!text) return text.error();
  auto manifest = decode_manifest(*text);
  if (!manifest) return Error{Errc::parse, "'" + path + "': " + manifest.error().message};
  if (manifest->key != key) {
    return Error{Errc::parse, "'" + path + "' is the manifest of '" + to_string(manifest->key) + "'"};
  }
  return std::optional(std::move(*manifest));
}

Status Packages::verify(const PackageKey& key) const {
  if (auto found = find(key); !found) return found;
  const auto wanted = manifest(key);
  if (!wanted) return Error{Errc::io, wanted.error().message};
  if (!*wanted) return Unit{};
  const std::string path = tar_path(key);
  const auto size = size_of(path);
  if (size && *size != (*wanted)->size) {
    return Error{Errc::io, "'" + path + "' is damaged: it has " + std::to_string(*size) + " bytes, and not " +
                               std::to_string((*wanted)->size)};
  }
  const auto digest = sha256_of_file(path);
  if (!digest) return Error{Errc::io, digest.error().message};
  if (*digest == (*wanted)->sha256) return Unit{};
  return Error{Errc::io, "'" + path + "' is damaged: its digest is not the one in its manifest"};
}

Status Packages::make_current(const PackageKey& key) const {
  if (auto found = find(key); !found) return found;  // else a lock would be made for what is not there
  const auto held = lock(key.name);
  if (!held) return held.error();
  if (auto found = find(key); !found) return found;
  return replace_file(directory_, current_file(key.name), std::to_string(key.version) + "\n");
}

Status Packages::remove(const PackageKey& key, bool is_last_too) const {
  if (auto found = find(key); !found) return found;
  const auto held = lock(key.name);
  if (!held) return held.error();
  if (auto found = find(key); !found) return found;
  remove_left_overs(directory_, key.name);
  const auto now = current(key.name);
  const auto all = list(key.name);
  if (!all) return all.error();
  const bool is_current = now && *now == key.version;
  if (is_current && (all->size() > 1 || !is_last_too)) {
    return Error{Errc::conflict, "package '" + to_string(key) + "' is what new tasks get: " +
                                     (all->size() > 1 ? "roll back to another one first" : "--force deletes it")};
  }
  if (auto noted = note_newest(key); !noted) return noted;
  if (all->size() == 1) {
    if (auto removed = remove_file(current_path(key.name)); !removed) return removed;
  }
  if (auto removed = remove_file(tar_path(key)); !removed) return removed;
  return remove_file(manifest_path(key));
}

Result<platform::FileLock> Packages::lock(const std::string& name) const {
  if (auto made = make_directory(); !made) return made.error();
  auto held = platform::lock_file(directory_ + "/." + name + ".lock");
  if (held || held.error().code != Errc::conflict) return held;
  return Error{Errc::conflict, "environment '" + name + "' is being packaged or changed by somebody else"};
}

Status check_container_name(const std::string& container) {
  if (is_image_reference(container)) {
    if (is_wellformed_reference(container)) return Unit{};
    return Error{Errc::invalid_argument, "container '" + container + "' is not an image's name such as python:3.12"};
  }
  if (container.find('@') != std::string::npos) {
    if (parse_package(container)) return Unit{};
    return Error{Errc::invalid_argument, "container '" + container + "': expected NAME@VERSION"};
  }
  if (is_environment_name(container)) return Unit{};
  return Error{Errc::invalid_argument, "container '" + container +
                                           "' is neither an environment, whose name is of a-z and 0-9 with single "
                                           "'.', '_' or '-' between them, nor an image such as python:3.12"};
}

Result<std::string> pin_container(const Packages& packages, const std::string& container) {
  if (container.empty()) return container;
  if (const auto checked = check_container_name(container); !checked) return checked.error();
  if (is_image_reference(container)) return container;
  if (const auto key = parse_package(container)) {
    if (auto found = packages.find(*key); !found) return found.error();
    return container;
  }
  const auto version = packages.current(container);
  if (!version) return version.error();
  return *version ? to_string(PackageKey{container, **version}) : container;
}

}  // namespace hakuriver::environment
