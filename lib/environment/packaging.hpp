// One package that is being made.
//
//   auto packaging = Packaging::begin(packages, "my-env", now);
//   ... save the image into packaging->descriptor() ...
//   packaging->finish({.image_id = id});
//
// Whatever happens in between, nobody sees half a package, and what is left of it the next packager removes.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "environment/packages.hpp"
#include "hakuriver/time.hpp"

namespace hakuriver::environment {

// Called before each step with its name: sync, hash, manifest, rename, current, end. A failure ends the packaging
// there, unless all is done.
using StepWatcher = std::function<Status(std::string_view step)>;

class Packaging {
 public:
  // Chooses a version above all that ever were, and makes the file to save into. Errc::conflict where the environment
  // is being packaged elsewhere, or has no higher version.
  static Result<Packaging> begin(Packages packages, const std::string& name, UtcTime now);
  // Removes what was not finished.
  ~Packaging();
  Packaging(Packaging&& other) noexcept;
  Packaging(const Packaging&) = delete;
  Packaging& operator=(const Packaging&) = delete;

  const PackageKey& key() const noexcept { return key_; }
  int descriptor() const noexcept { return file_.get(); }

  // The package is there, and current; where it fails, neither. Of `facts` the image's id and base are taken. Once.
  Result<Manifest> finish(Manifest facts, const StepWatcher& watch = {});

 private:
  Packaging(Packages packages, PackageKey key, UtcTime now, platform::FileLock lock, platform::Descriptor file)
      : packages_(std::move(packages)),
        key_(std::move(key)),
        now_(now),
        lock_(std::move(lock)),
        file_(std::move(file)),
        is_open_(true) {}

  Result<Manifest> describe(Manifest facts, const StepWatcher& watch) const;
  Status publish(const Manifest& manifest, const StepWatcher& watch) const;

  Packages packages_;
  PackageKey key_;
  UtcTime now_;
  platform::FileLock lock_;
  platform::Descriptor file_;
  bool is_open_;
};

}  // namespace hakuriver::environment
