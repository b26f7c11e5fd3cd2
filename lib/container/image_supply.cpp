#include "container/image_supply.hpp"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

#include <string_view>
#include <system_error>
#include <utility>

#include "container/messages.hpp"
#include "container/package_tar.hpp"
#include "container/registry_pull.hpp"
#include "environment/packages.hpp"
#include "environment/sha256.hpp"
#include "platform/descriptor.hpp"
#include "platform/files.hpp"

namespace hakuriver::container {
namespace {

bool is_missing(const Result<Image>& image) { return !image && image.error().code == Errc::not_found; }

Error say(const std::string& reference, const Error& error) {
  return {error.code,
          "image '" + reference + "': " + (error.message.empty() ? "the engine does not say why" : error.message)};
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

// What the tar calls it is what the engine calls it now: podman puts a registry in front, and packages of old have the
// one name that all versions had.
Status name_image(Engine& engine, const PackageKey& key, const std::string& loaded) {
  const auto image = engine.image(image_of(key));
  if (!is_missing(image)) return image ? Status(Unit{}) : node_fault("image '" + image_of(key) + "'", image.error());
  if (auto tagged = engine.tag(loaded, image_of(key)); !tagged) {
    return node_fault("image '" + loaded + "' of package '" + to_string(key) + "'", tagged.error());
  }
  return Unit{};
}

Status load(Engine& engine, const PackageKey& key, const ImageSource& source) {
  const environment::Packages packages(source.packages);
  if (auto whole = packages.verify(key); !whole) return whole;
  const auto manifest = packages.manifest(key);
  if (!manifest) return Error{Errc::io, manifest.error().message};
  const auto reference = reference_in(packages.tar_path(key), key, !manifest->has_value());
  if (!reference) return node_fault("package '" + to_string(key) + "' is damaged", reference.error());
  const auto loaded = engine.load(packages.tar_path(key));
  if (!loaded) return node_fault("package '" + to_string(key) + "' cannot be loaded", loaded.error());
  return name_image(engine, key, *reference);
}

// Of an environment that the task did not get a package of: what is wrong, and what its user can do.
std::string describe_no_package(const std::string& name, const ImageSource& source) {
  const auto current = environment::Packages(source.packages).current(name);
  if (!current) return current.error().message;
  if (!*current) {
    return "no package of environment '" + name + "' in '" + source.packages + "': `hakuriver.docker package " + name +
           "` makes one";
  }
  return "the host saw no package of environment '" + name + "' when the task was submitted: now '" +
         to_string(PackageKey{name, **current}) + "' is in '" + source.packages + "', submit it again";
}

// Images of ours that no package was found for are those of an environment's name, or somebody wrote them out.
Error missing(const std::string& reference, const ImageSource& source) {
  constexpr std::string_view kOwn = "hakuriver/";
  constexpr std::string_view kBase = ":base";
  const std::string here = "image '" + reference + "' is not on this node";
  const bool is_base = reference.starts_with(kOwn) && reference.ends_with(kBase);
  const auto name = is_base ? reference.substr(kOwn.size(), reference.size() - kOwn.size() - kBase.size()) : "";
  if (source.packages.empty() || !is_environment_name(name)) return {Errc::not_found, here};
  return {Errc::not_found, here + ", and " + describe_no_package(name, source)};
}

Status bring(Engine& engine, const std::string& reference, const ImageSource& source) {
  if (const auto key = parse_package(source.package)) return load(engine, *key, source);
  const auto pulled = pull_image(engine, reference, source);
  if (pulled) return Unit{};
  Error error = say(reference, pulled.error());
  // A registry that does not answer is as a rule one that the task has spelt wrong: a node that works for others must
  // not hold back for it.
  const bool is_of_registry = error.code == Errc::io && !tells_of_lack(error.message) && engine.ping();
  if (is_of_registry) error.code = Errc::not_found;
  return error;
}

}  // namespace

Result<SuppliedImage> supply_image(Engine& engine, const std::string& reference, const ImageSource& source) {
  if (!is_wellformed_reference(reference)) {
    return Error{Errc::invalid_argument, "image '" + reference.substr(0, 512) + "': expected such as python:3.12"};
  }
  auto image = engine.image(reference);
  if (image) return SuppliedImage{std::move(*image), false};
  if (!is_missing(image)) return say(reference, image.error());
  if (source.locks.empty() || (source.package.empty() && is_own_image(reference))) {
    return missing(reference, source);
  }
  // All packages of an environment take turns: those of old have one name, which the next one takes.
  const auto package = parse_package(source.package);
  const auto turn = wait_for_turn(source, package ? "hakuriver/" + package->name : reference);
  if (!turn) return node_fault("image '" + reference + "'", turn.error());
  image = engine.image(reference);
  if (image) return SuppliedImage{std::move(*image), false};
  if (!is_missing(image)) return say(reference, image.error());
  if (auto brought = bring(engine, reference, source); !brought) return brought.error();
  image = engine.image(reference);
  if (!image) return node_fault("image '" + reference + "'", image.error());
  return SuppliedImage{std::move(*image), true};
}

}  // namespace hakuriver::container
