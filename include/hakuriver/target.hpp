// Where a task is to run: a node, or one NUMA node of it.
//
//   parse_target("node1")   -> {"node1", none}
//   parse_target("node1:0") -> {"node1", 0}
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "hakuriver/result.hpp"

namespace hakuriver {
inline namespace v1 {

// A node's name: 1 to 63 of A-Z a-z 0-9 . _ - (it is part of file names and unit names).
inline bool is_node_name(std::string_view text) noexcept {
  constexpr std::string_view kAllowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
  return !text.empty() && text.size() <= 63 && text.find_first_not_of(kAllowed) == std::string_view::npos;
}

struct Target {
  std::string node;
  std::optional<std::uint32_t> numa_node;
  auto operator<=>(const Target&) const = default;
};

inline std::string to_string(const Target& target) {
  return target.numa_node ? target.node + ":" + std::to_string(*target.numa_node) : target.node;
}

inline Result<Target> parse_target(std::string_view text) {
  const Error bad{Errc::parse, "'" + std::string(text.substr(0, 80)) +
                                   "' is not a target: expected NODE or NODE:NUMA, such as node1 or node1:0"};
  const auto colon = text.find(':');
  Target target{std::string(text.substr(0, colon)), std::nullopt};
  if (!is_node_name(target.node)) return bad;
  if (colon == std::string_view::npos) return target;
  const std::string_view digits = text.substr(colon + 1);
  std::uint32_t numa = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), numa);
  if (error != std::errc{} || end != digits.data() + digits.size() || numa > 65535) return bad;
  target.numa_node = numa;
  return target;
}

}  // namespace v1
}  // namespace hakuriver
