// The packages in a directory that host, runners and packagers share.
//
//   NAME-<version>.tar    an image as `docker save` writes it
//   NAME-<version>.json   its manifest; older files have none and are taken as they are
//   NAME.current          the version that new submissions get; without it that is the newest
//
// Each appears whole or not at all. What begins with a dot is being written, or locked.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "environment/manifest.hpp"
#include "hakuriver/environment.hpp"
#include "hakuriver/result.hpp"
#include "platform/files.hpp"

namespace hakuriver::environment {

// More files than this in the directory are Errc::limit.
inline constexpr std::size_t kMaxFiles = 100'000;

struct Package {
  PackageKey key{};
  std::uint64_t size = 0;  // of the tar, in bytes
};

class Packages {
 public:
  explicit Packages(std::string directory) : directory_(std::move(directory)) {}

  const std::string& directory() const noexcept { return directory_; }
  std::string tar_path(const PackageKey& key) const { return directory_ + "/" + package_file(key); }
  std::string manifest_path(const PackageKey& key) const;
  std::string current_path(const std::string& name) const { return directory_ + "/" + name + ".current"; }

  // By name and version, only of `name` where one is given. A directory that is not there has none.
  Result<std::vector<Package>> list(const std::string& name = {}) const;

  // The version that new submissions get; none where there is no package. Errc::not_found where that one is gone.
  Result<std::optional<std::uint64_t>> current(const std::string& name) const;

  // Good where the package is there; Errc::not_found names it.
  Status find(const PackageKey& key) const;

  // None where it has none. Errc::parse where that is no manifest of this package.
  Result<std::optional<Manifest>> manifest(const PackageKey& key) const;

  // Good where the tar is as its manifest says, or has no manifest; Errc::not_found where there is no tar, io where it
  // is damaged or cannot be read. Reads all of it.
  Status verify(const PackageKey& key) const;

  // New submissions get this one, which must be there. Errc::conflict while the environment is packaged.
  Status make_current(const PackageKey& key) const;

  // The current one is Errc::conflict, unless it is the only one and `is_last_too`.
  Status remove(const PackageKey& key, bool is_last_too) const;

  // Held by whoever changes an environment's packages. Errc::conflict where somebody does. Makes the directory.
  Result<platform::FileLock> lock(const std::string& name) const;

 private:
  std::string directory_;
};

// The container that a submission's becomes when it is taken: an environment becomes its current package, where it has
// one. Everything else stays. Errc::not_found where the package is not there, invalid_argument where it is misspelt.
Result<std::string> pin_container(const Packages& packages, const std::string& container);

// The file as a whole, by way of ".FILE.part" beside it, which may be there and is replaced.
Status replace_file(const std::string& directory, const std::string& file, std::string_view contents);

}  // namespace hakuriver::environment
