// The packages in a directory that host, runners and packagers share.
//
//   NAME-<version>.tar    an image as `docker save` writes it
//   NAME-<version>.json   its manifest; older files have none and are taken as they are
//   NAME.current          the version that new submissions get; without it that is the newest
//
//   .NAME.newest          the highest version that there ever was: nodes keep images of versions that are gone
//
// Each appears whole or not at all. What else begins with a dot is being written, or locked.
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

inline std::string current_file(const std::string& name) { return name + ".current"; }
inline std::string newest_file(const std::string& name) { return "." + name + ".newest"; }
// What a file is called while it is written.
inline std::string part_of(const std::string& file) { return "." + file + ".part"; }

struct Package {
  PackageKey key{};
  std::uint64_t size = 0;  // of the tar, in bytes
};

class Packages {
 public:
  explicit Packages(std::string directory) : directory_(std::move(directory)) {}

  const std::string& directory() const noexcept { return directory_; }
  std::string tar_path(const PackageKey& key) const { return directory_ + "/" + package_file(key); }
  std::string manifest_path(const PackageKey& key) const { return directory_ + "/" + manifest_file(key); }
  std::string current_path(const std::string& name) const { return directory_ + "/" + current_file(name); }

  // Good where only those decide what is in the directory whom everybody trusts, and where there is none: it is no
  // link, it belongs to root, to this process's user or to whom the directory above belongs, and others cannot write to
  // it. Errc::conflict, in one line that names it. What looks for a package, or changes one, has looked at this.
  Status check_directory() const;
  // Makes it, and what is missing above it, where it is missing.
  Status make_directory() const;

  // By name and version, only of `name` where one is given. A directory that is not there has none.
  Result<std::vector<Package>> list(const std::string& name = {}) const;

  // The version that new submissions get; none where there is no package. Errc::not_found where that one is gone.
  Result<std::optional<std::uint64_t>> current(const std::string& name) const;

  // The highest version that there ever was, 0 where none was; and that note of it.
  Result<std::uint64_t> newest(const std::string& name) const;
  Status note_newest(const PackageKey& key) const;

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

  // Held by whoever changes an environment's packages. Errc::conflict where somebody does. Makes the directory, for all
  // users to read.
  Result<platform::FileLock> lock(const std::string& name) const;

 private:
  std::string directory_;
};

// Whether a submission's container, which is not empty, could be one: an environment's name, a package or an image.
Status check_container_name(const std::string& container);

// The container that a submission's becomes when it is taken: an environment becomes its current package, where it has
// one. Everything else stays. Errc::not_found where the package is not there, invalid_argument where it is misspelt.
Result<std::string> pin_container(const Packages& packages, const std::string& container);

// The file as a whole, by way of ".FILE.part" beside it, which may be there and is replaced.
Status replace_file(const std::string& directory, const std::string& file, std::string_view contents);
// Its two halves.
Status write_part(const std::string& directory, const std::string& file, std::string_view contents);
Status rename_part(const std::string& directory, const std::string& file);

}  // namespace hakuriver::environment
