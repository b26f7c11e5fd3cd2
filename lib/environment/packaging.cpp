#include "environment/packaging.hpp"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <system_error>
#include <utility>

#include "environment/left_overs.hpp"
#include "environment/sha256.hpp"

namespace hakuriver::environment {
namespace {

Error system_error(const std::string& path) {
  return {Errc::io, "'" + path + "': " + std::generic_category().message(errno)};
}

std::string temporary_of(const Packages& packages, const PackageKey& key) {
  return packages.directory() + "/" + part_of(package_file(key));
}

Status sync_directory(const std::string& path) {
  const platform::Descriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.is_open() || ::fsync(directory.get()) != 0) return system_error(path);
  return Unit{};
}

}  // namespace

Result<Packaging> Packaging::begin(Packages packages, const std::string& name, UtcTime now) {
  if (!is_environment_name(name)) return Error{Errc::invalid_argument, "'" + name + "' is no environment's name"};
  auto lock = packages.lock(name);
  if (!lock) return lock.error();
  remove_left_overs(packages.directory(), name);
  const auto newest = packages.newest(name);
  if (!newest) return newest.error();
  if (*newest >= kMaxPackageVersion) {
    return Error{Errc::conflict, "environment '" + name + "' cannot be packaged: '" + packages.directory() +
                                     "' has version " + std::to_string(*newest) +
                                     " of it, and none is above that: delete it first"};
  }
  const auto seconds = static_cast<std::uint64_t>(std::max<std::int64_t>(1, now.microseconds / 1'000'000));
  PackageKey key{name, next_package_version(seconds, *newest)};
  if (auto noted = packages.note_newest(key); !noted) return noted.error();
  const std::string path = temporary_of(packages, key);
  platform::Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!file.is_open()) return system_error(path);
  ::fchmod(file.get(), 0644);  // whoever loads it may be another user
  return Packaging(std::move(packages), std::move(key), now, std::move(*lock), std::move(file));
}

Packaging::Packaging(Packaging&& other) noexcept
    : packages_(std::move(other.packages_)),
      key_(std::move(other.key_)),
      now_(other.now_),
      lock_(std::move(other.lock_)),
      file_(std::move(other.file_)),
      is_open_(std::exchange(other.is_open_, false)) {}

Packaging::~Packaging() {
  if (!is_open_) return;
  ::unlink(packages_.tar_path(key_).c_str());
  remove_left_overs(packages_.directory(), key_.name);
}

Result<Manifest> Packaging::describe(Manifest facts, const StepWatcher& watch) const {
  const std::string temporary = temporary_of(packages_, key_);
  if (auto told = watch("sync"); !told) return told.error();
  struct stat status {};
  if (::fsync(file_.get()) != 0 || ::fstat(file_.get(), &status) != 0) return system_error(temporary);
  if (status.st_size == 0) return Error{Errc::io, "environment '" + key_.name + "': its image was saved as nothing"};
  if (auto told = watch("hash"); !told) return told.error();
  auto digest = sha256_of_file(temporary);
  if (!digest) return digest.error();
  facts.key = key_;
  facts.sha256 = std::move(*digest);
  facts.size = static_cast<std::uint64_t>(status.st_size);
  facts.created = to_iso8601(now_);
  return facts;
}

// What can fail is done before the tar has its name, as far as it can be.
Status Packaging::publish(const Manifest& manifest, const StepWatcher& watch) const {
  const std::string& directory = packages_.directory();
  const std::string path = packages_.tar_path(key_);
  if (auto told = watch("manifest"); !told) return told;
  if (auto written = replace_file(directory, manifest_file(key_), encode_manifest(manifest)); !written) return written;
  const std::string version = std::to_string(key_.version) + "\n";
  const std::string current = current_file(key_.name);
  if (auto written = write_part(directory, current, version); !written) return written;
  if (auto told = watch("rename"); !told) return told;
  if (std::rename(temporary_of(packages_, key_).c_str(), path.c_str()) != 0) return system_error(path);
  if (auto synced = sync_directory(directory); !synced) return synced;
  if (auto told = watch("current"); !told) return told;
  return rename_part(directory, current);
}

Result<Manifest> Packaging::finish(Manifest facts, const StepWatcher& watch) {
  const StepWatcher step = watch ? watch : StepWatcher([](std::string_view) { return Status(Unit{}); });
  auto manifest = describe(std::move(facts), step);
  if (!manifest) return manifest;
  if (auto published = publish(*manifest, step); !published) return published.error();
  is_open_ = false;
  // New submissions get it from now on, so it cannot fail any more.
  static_cast<void>(step("end"));
  static_cast<void>(sync_directory(packages_.directory()));
  return manifest;
}

}  // namespace hakuriver::environment
