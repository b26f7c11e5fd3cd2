// nlohmann/json behind bounds. Its own parser takes any depth (and a deep value then overflows the stack when it is
// copied), lets the last of equal keys win and turns large whole numbers into doubles; here all of these are errors.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "hakuriver/result.hpp"

namespace hakuriver::wire {

using Json = nlohmann::json;

struct JsonBounds {
  std::size_t bytes = std::size_t{8} << 20;   // of text
  std::size_t depth = 64;                     // of objects and arrays within each other
  std::size_t values = std::size_t{1} << 20;  // members and items, all together; each takes 16 bytes and more
};

// Errc::parse, or Errc::limit where a bound is passed. Throws nothing.
Result<Json> parse_json(std::string_view text, const JsonBounds& bounds = {});

// The value in a few words for an error message: 7, "x", an array. At most about 60 bytes.
std::string describe(const Json& value);

}  // namespace hakuriver::wire
