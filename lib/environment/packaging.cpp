#include "environment/packaging.hpp"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "environment/sha256.hpp"

namespace hakuriver::environment {
namespace {

constexpr std::string_view kPart = ".part";

Error system_error(const std::string& path) {
  return {Errc::io, "'" + path + "': " + std::generic_category().message(errno)};
}

std::string temporary_of(const Packages& packages, const PackageKey& key) {
  return packages.directory() + "/." + package_file(key) + std::string(kPart);
}

std::string_view without(std::string_view text, std::string_view end) {
  return text.ends_with(end) ? text.substr(0, text.size() - end.size()) : std::string_view();
}

// Whether the file is what a packager of this environment, who is no more, was writing.
bool is_left_over(std::string_view file, const std::string& name) {
  if (file.starts_with('.') && file.ends_with(kPart)) {
    const auto written = without(file.substr(1), kPart);
    const auto manifest = without(written, ".json");
    const auto key = parse_package_file(manifest.empty() ? std::string(written) : std::string(manifest) + ".tar");
    return written == name + ".current" || (key && key->name == name);
  }
  return false;
}

// A manifest is written before its tar.
bool is_without_tar(const Packages& packages, std::string_view file, const std::string& name) {
  const auto stem = without(file, ".json");
  const auto key = parse_package_file(std::string(stem) + ".tar");
  return !stem.empty() && key && key->name == name && ::access(packages.tar_path(*key).c_str(), F_OK) != 0;
}

// What is not removed now is no package either.
void remove_left_overs(const Packages& packages, const std::string& name) {
  std::error_code failed;
  std::filesystem::directory_iterator files(packages.directory(), failed);
  std::vector<std::string> found;
  for (; !failed && files != std::filesystem::directory_iterator(); files.increment(failed)) {
    const std::string file = files->path().filename().native();
    if (is_left_over(file, name) || is_without_tar(packages, file, name)) found.push_back(files->path().native());
  }
  for (const auto& path : found) ::unlink(path.c_str());
}

Result<std::uint64_t> newest_of(const Packages& packages, const std::string& name) {
  const auto all = packages.list(name);
  if (!all) return all.error();
  std::uint64_t newest = all->empty() ? 0 : all->back().key.version;
  // It may name one that was removed.
  if (const auto text = platform::read_file(packages.current_path(name), 64)) {
    newest = std::max(newest, parse_package_version(text->substr(0, text->find('\n'))).value_or(0));
  }
  return newest;
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
  remove_left_overs(packages, name);
  const auto newest = newest_of(packages, name);
  if (!newest) return newest.error();
  const auto seconds = static_cast<std::uint64_t>(std::max<std::int64_t>(1, now.microseconds / 1'000'000));
  PackageKey key{name, next_package_version(seconds, *newest)};
  const std::string path = temporary_of(packages, key);
  platform::Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!file.is_open()) return system_error(path);
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
  if (is_open_) remove_left_overs(packages_, key_.name);
}

Result<Manifest> Packaging::finish(Manifest facts, const StepWatcher& watch) {
  const auto step = [&watch](std::string_view name) {
    if (watch) watch(name);
  };
  const std::string temporary = temporary_of(packages_, key_);
  const std::string path = packages_.tar_path(key_);
  step("sync");
  struct stat status {};
  if (::fsync(file_.get()) != 0 || ::fstat(file_.get(), &status) != 0) return system_error(temporary);
  if (status.st_size == 0) return Error{Errc::io, "environment '" + key_.name + "': its image was saved as nothing"};
  step("hash");
  auto digest = sha256_of_file(temporary);
  if (!digest) return digest.error();
  facts.key = key_;
  facts.sha256 = std::move(*digest);
  facts.size = static_cast<std::uint64_t>(status.st_size);
  facts.created = to_iso8601(now_);
  step("manifest");
  const std::string manifest_file = key_.name + "-" + std::to_string(key_.version) + ".json";
  if (auto written = replace_file(packages_.directory(), manifest_file, encode_manifest(facts)); !written) {
    return written.error();
  }
  step("rename");
  if (std::rename(temporary.c_str(), path.c_str()) != 0) return system_error(path);
  if (auto synced = sync_directory(packages_.directory()); !synced) return synced.error();
  step("current");
  const std::string version = std::to_string(key_.version) + "\n";
  if (auto written = replace_file(packages_.directory(), key_.name + ".current", version); !written) {
    return written.error();
  }
  step("end");
  if (auto synced = sync_directory(packages_.directory()); !synced) return synced.error();
  is_open_ = false;
  return facts;
}

}  // namespace hakuriver::environment
