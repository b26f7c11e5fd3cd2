// Environments: container images that are packaged as files of the shared directory, one for each version.
//
//   my-env              the environment: a submission gets the package that is current at that moment
//   my-env@1763740000   one of its packages, the image hakuriver/my-env:1763740000
//   python:3.12         no environment, but an image of a registry
//
// The files of a package are my-env-1763740000.tar, as `docker save` writes it, and a manifest beside it.
#pragma once

#include <algorithm>
#include <charconv>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hakuriver {
inline namespace v1 {

inline constexpr std::size_t kMaxEnvironmentName = 128;
// Numbers up to this are the same in every reader of JSON.
inline constexpr std::uint64_t kMaxPackageVersion = (std::uint64_t{1} << 53) - 1;

// One package. Its version is the Unix time of its making in seconds, or a little more.
struct PackageKey {
  std::string name{};
  std::uint64_t version = 0;
  auto operator<=>(const PackageKey&) const = default;
};

// Such as engines take for an image: words of a-z and 0-9, with one of ".", "_", "__" or dashes between them.
inline bool is_environment_name(std::string_view name) noexcept {
  const auto is_word = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (name.empty() || name.size() > kMaxEnvironmentName || !is_word(name.front()) || !is_word(name.back()))
    return false;
  for (std::size_t at = 0; at < name.size(); ++at) {
    if (is_word(name[at])) continue;
    const std::size_t begin = at;
    while (!is_word(name[at + 1])) ++at;  // the last one is part of a word
    const auto between = name.substr(begin, at - begin + 1);
    const bool is_dashes = between.find_first_not_of('-') == std::string_view::npos;
    if (!is_dashes && between != "." && between != "_" && between != "__") return false;
  }
  return true;
}

// Decimal digits without leading zeros.
inline std::optional<std::uint64_t> parse_package_version(std::string_view text) noexcept {
  std::uint64_t version = 0;
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, version);
  const bool is_whole = read.ec == std::errc() && read.ptr == end && text.front() != '0';
  return is_whole && version <= kMaxPackageVersion ? std::optional(version) : std::nullopt;
}

namespace environment_detail {

inline std::optional<PackageKey> parse_key(std::string_view text, char separator) {
  const auto at = text.rfind(separator);
  if (at == std::string_view::npos || !is_environment_name(text.substr(0, at))) return std::nullopt;
  const auto version = parse_package_version(text.substr(at + 1));
  if (!version) return std::nullopt;
  return PackageKey{std::string(text.substr(0, at)), *version};
}

}  // namespace environment_detail

// "my-env@1763740000"
inline std::optional<PackageKey> parse_package(std::string_view text) {
  return environment_detail::parse_key(text, '@');
}
inline std::string to_string(const PackageKey& key) { return key.name + "@" + std::to_string(key.version); }

// "my-env-1763740000.tar"
inline std::optional<PackageKey> parse_package_file(std::string_view file) {
  constexpr std::string_view kEnd = ".tar";
  if (!file.ends_with(kEnd)) return std::nullopt;
  return environment_detail::parse_key(file.substr(0, file.size() - kEnd.size()), '-');
}
inline std::string package_file(const PackageKey& key) { return key.name + "-" + std::to_string(key.version) + ".tar"; }
inline std::string manifest_file(const PackageKey& key) {
  return key.name + "-" + std::to_string(key.version) + ".json";
}

// A submission's container that is none: its tasks run on the node itself.
inline constexpr std::string_view kNodeItself = "NULL";

// Whether a submission's container is an image of a registry.
inline bool is_image_reference(std::string_view container) noexcept {
  return container.find_first_of(":/") != std::string_view::npos;
}

inline std::string image_of(const PackageKey& key) {
  return "hakuriver/" + key.name + ":" + std::to_string(key.version);
}

// The image of a submission's container: of a package, of an environment without packages, or the reference itself.
inline std::string image_of(std::string_view container) {
  if (is_image_reference(container)) return std::string(container);
  if (const auto key = parse_package(container)) return image_of(*key);
  return "hakuriver/" + std::string(container) + ":base";
}

// The registry of a reference: "docker.io", "localhost:5000"; empty where it names none.
inline std::string_view registry_of(std::string_view reference) noexcept {
  const auto slash = reference.find('/');
  if (slash == std::string_view::npos) return {};
  const auto first = reference.substr(0, slash);
  const bool has_capitals = std::any_of(first.begin(), first.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  const bool is_registry = first == "localhost" || has_capitals || first.find_first_of(".:") != std::string_view::npos;
  return is_registry ? first : std::string_view();
}

namespace environment_detail {

inline bool has_only(std::string_view text, bool (*is_allowed)(char)) noexcept {
  return std::all_of(text.begin(), text.end(), is_allowed);
}
inline bool is_letter_or_digit(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

inline bool is_registry(std::string_view text) noexcept {
  return !text.empty() && (is_letter_or_digit(text.front()) || text.front() == '[') &&
         has_only(text, [](char c) { return is_letter_or_digit(c) || std::string_view(".:-[]").find(c) < 5; });
}
inline bool is_tag(std::string_view text) noexcept {
  return !text.empty() && text.size() <= 128 && (is_letter_or_digit(text.front()) || text.front() == '_') &&
         has_only(text, [](char c) { return is_letter_or_digit(c) || c == '_' || c == '.' || c == '-'; });
}
inline bool is_digest(std::string_view text) noexcept {
  const auto colon = text.find(':');
  return colon != std::string_view::npos && is_tag(text.substr(0, colon)) &&
         has_only(text.substr(colon + 1), is_letter_or_digit) && colon + 1 < text.size();
}

}  // namespace environment_detail

// Whether engines take it for the name of an image: [REGISTRY/]NAME[/NAME]...[:TAG][@DIGEST], as in
// https://pkg.go.dev/github.com/distribution/reference.
inline bool is_wellformed_reference(std::string_view reference) noexcept {
  namespace detail = environment_detail;
  if (const auto at = reference.find('@'); at != std::string_view::npos) {
    if (!detail::is_digest(reference.substr(at + 1))) return false;
    reference = reference.substr(0, at);
  }
  if (const auto registry = registry_of(reference); !registry.empty()) {
    if (!detail::is_registry(registry)) return false;
    reference.remove_prefix(registry.size() + 1);
  }
  if (const auto colon = reference.find(':'); colon != std::string_view::npos) {
    if (!detail::is_tag(reference.substr(colon + 1))) return false;
    reference = reference.substr(0, colon);
  }
  for (;;) {
    const auto slash = std::min(reference.find('/'), reference.size());
    if (!is_environment_name(reference.substr(0, slash))) return false;
    if (slash == reference.size()) return true;
    reference.remove_prefix(slash + 1);
  }
}

// Images of ours are never asked of a registry, where anybody could have put something of that name: of none, for
// engines know the same image with the name of their usual registry in front and without it.
inline bool is_own_image(std::string_view reference) noexcept {
  const auto registry = registry_of(reference);
  if (!registry.empty()) reference.remove_prefix(registry.size() + 1);
  return reference.starts_with("hakuriver/");
}

// `newest` is the largest version there is; 0: none.
inline std::uint64_t next_package_version(std::uint64_t unix_seconds, std::uint64_t newest) noexcept {
  return std::max(unix_seconds, newest + 1);
}

}  // namespace v1
}  // namespace hakuriver
