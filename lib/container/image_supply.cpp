#include "container/image_supply.hpp"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "environment/packages.hpp"
#include "environment/sha256.hpp"
#include "platform/descriptor.hpp"
#include "platform/files.hpp"

namespace hakuriver::container {
namespace {

bool is_missing(const Result<Image>& image) { return !image && image.error().code == Errc::not_found; }

Error say(const std::string& reference, const Error& error) {
  return {error.code, "image '" + reference + "': " + error.message};
}

// Whatever goes wrong with what a node does for itself is not the task's fault.
Error node_fault(const std::string& what, const Error& error) { return {Errc::io, what + ": " + error.message}; }

// Held while the image of that name is brought here; a process that ends lets go of it.
Result<platform::Descriptor> wait_for_turn(const ImageSource& source, const std::string& name) {
  if (auto made = platform::create_private_directory(source.locks); !made) return made.error();
  const std::string path = source.locks + "/" + environment::sha256_of(name) + ".lock";
  platform::Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  while (file.is_open() && ::flock(file.get(), LOCK_EX) != 0) {
    if (errno != EINTR) file = platform::Descriptor();
  }
  if (!file.is_open()) return Error{Errc::io, "'" + path + "': " + std::generic_category().message(errno)};
  return file;
}

// Packages of old hold one image, by the name that all versions had.
Status name_old_image(Engine& engine, const PackageKey& key, const std::vector<std::string>& loaded) {
  const std::string old = "hakuriver/" + key.name + ":base";
  const bool has_old = std::any_of(loaded.begin(), loaded.end(),
                                   [&old](const std::string& one) { return one == old || one.ends_with("/" + old); });
  if (!has_old) return Error{Errc::io, "package '" + to_string(key) + "' does not hold image '" + image_of(key) + "'"};
  return engine.tag(old, image_of(key));
}

Status load(Engine& engine, const PackageKey& key, const ImageSource& source) {
  const environment::Packages packages(source.packages);
  if (auto whole = packages.verify(key); !whole) return whole;
  const auto loaded = engine.load(packages.tar_path(key));
  if (!loaded) return node_fault("package '" + to_string(key) + "' cannot be loaded", loaded.error());
  const auto image = engine.image(image_of(key));
  if (is_missing(image)) return name_old_image(engine, key, *loaded);
  if (!image) return node_fault("image '" + image_of(key) + "'", image.error());
  return Unit{};
}

Status bring(Engine& engine, const std::string& reference, const ImageSource& source) {
  if (const auto key = parse_package(source.package)) return load(engine, *key, source);
  if (auto pulled = engine.pull(reference); !pulled) return say(reference, pulled.error());
  return Unit{};
}

}  // namespace

Result<Image> supply_image(Engine& engine, const std::string& reference, const ImageSource& source) {
  auto image = engine.image(reference);
  if (image) return image;
  if (!is_missing(image)) return say(reference, image.error());
  if (source.locks.empty() || (source.package.empty() && is_own_image(reference))) {
    return Error{Errc::not_found, "image '" + reference + "' is not on this node"};
  }
  const auto turn = wait_for_turn(source, reference);
  if (!turn) return node_fault("image '" + reference + "'", turn.error());
  image = engine.image(reference);
  if (!is_missing(image)) return image ? std::move(image) : Result<Image>(say(reference, image.error()));
  if (auto brought = bring(engine, reference, source); !brought) return brought.error();
  image = engine.image(reference);
  return image ? std::move(image) : Result<Image>(node_fault("image '" + reference + "'", image.error()));
}

}  // namespace hakuriver::container
