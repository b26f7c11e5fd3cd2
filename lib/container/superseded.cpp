#include "container/superseded.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "environment/packages.hpp"

namespace hakuriver::container {
namespace {

constexpr std::size_t kMostAtOnce = 4;

// The version of that environment which the reference names.
std::optional<std::uint64_t> version_in(std::string_view reference, const std::string& name) {
  for (const std::string_view registry : {"localhost/", "docker.io/"}) {
    if (reference.starts_with(registry)) reference.remove_prefix(registry.size());
  }
  const std::string own = "hakuriver/" + name + ":";
  return reference.starts_with(own) ? parse_package_version(reference.substr(own.size())) : std::nullopt;
}

}  // namespace

std::vector<std::string> find_superseded(const std::vector<std::string>& references, const PackageKey& loaded,
                                         Packaged packaged, std::uint32_t keep) {
  std::map<std::uint64_t, std::set<std::string>> others;  // by version: one may have several names
  for (const auto& reference : references) {
    const auto version = version_in(reference, loaded.name);
    if (version && *version != loaded.version) others[*version].insert(reference);
  }
  std::vector<std::string> superseded;
  if (keep == 0) return superseded;
  std::size_t left = others.size();
  for (const auto& [version, names] : others) {
    if (left-- < keep || superseded.size() >= kMostAtOnce) break;
    if (version == packaged.current || version > packaged.newest) continue;
    superseded.insert(superseded.end(), names.begin(), names.end());
  }
  return superseded;
}

void remove_superseded(Engine& engine, const ImageSource& source) {
  const auto loaded = parse_package(source.package);
  if (!loaded || source.keep_versions == 0) return;
  const environment::Packages packages(source.packages);
  const auto current = packages.current(loaded->name);
  const auto there = packages.list(loaded->name);
  if (!current || !*current || !there || there->empty()) return;  // one does not know, then, what is needed
  const auto references = engine.references("hakuriver/" + loaded->name);
  if (!references) return;
  const Packaged packaged{**current, there->back().key.version};
  for (const auto& reference : find_superseded(*references, *loaded, packaged, source.keep_versions)) {
    const auto removed = engine.remove_image(reference);
    if (!removed && removed.error().code != Errc::conflict && removed.error().code != Errc::not_found) return;
  }
}

}  // namespace hakuriver::container
