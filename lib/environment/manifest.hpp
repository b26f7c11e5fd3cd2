// What is written beside a package, so that whoever loads it knows that it is whole.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "hakuriver/environment.hpp"
#include "hakuriver/result.hpp"

namespace hakuriver::environment {

inline constexpr std::size_t kMaxManifestBytes = std::size_t{64} << 10;

struct Manifest {
  PackageKey key{};
  std::string sha256{};      // of the tar
  std::uint64_t size = 0;    // of the tar, in bytes
  std::string image_id{};    // as the engine that made it calls it
  std::string base_image{};  // what the environment was created from
  std::string created{};     // ISO 8601, UTC
};

std::string encode_manifest(const Manifest& manifest);

// Errc::parse where the text is no manifest.
Result<Manifest> decode_manifest(std::string_view text);

}  // namespace hakuriver::environment
