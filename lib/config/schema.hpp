// The one table of all keys: it drives the file, the environment, the flags and the hints.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "hakuriver/config.hpp"

namespace hakuriver::config {

// Where a key's value lives.
using Slot = std::variant<std::string*, bool*, std::uint16_t*, std::uint32_t*, std::optional<std::uint16_t>*,
                          std::optional<std::uint32_t>*, std::optional<std::uint64_t>*, std::chrono::milliseconds*,
                          std::optional<std::chrono::milliseconds>*, std::vector<std::string>*, std::optional<bool>*,
                          std::optional<std::vector<std::string>>*>;

enum class Kind : std::uint8_t {
  text,        // anything without control bytes
  ip_address,  // of a listener
  host,        // a name or an address, without scheme and port
  url,         // http or https, a host, perhaps a port
  node_name,
  path,
  program,  // a path, or a name that is looked up on PATH
  choice,   // one of the key's `choices`
  yes_no,
  whole,     // a whole number from least to most
  duration,  // milliseconds from least to most; "off" where the slot can be empty
  cores,
  memory,
  list,  // of texts
};

struct Key {
  std::string_view section;
  std::string_view name;
  Slot (*slot)(Config& config);
  Kind kind;
  std::int64_t least = 0;
  std::int64_t most = 0;
  std::string_view choices{};   // separated by blanks
  std::string_view variable{};  // a shorter environment variable besides HAKURIVER_SECTION_NAME
  bool has_effect = true;
};

std::span<const Key> keys() noexcept;

// None where there is no such key.
const Key* find_key(std::string_view section, std::string_view name) noexcept;

bool is_section(std::string_view name) noexcept;

std::string full_name(const Key& key);      // "network.host_port"
std::string variable_name(const Key& key);  // "HAKURIVER_NETWORK_HOST_PORT"

// What may have been meant, as the end of a message: ": did you mean host_port in [network]?", or which there are.
// Both take any text.
std::string suggest_key(std::string_view section, std::string_view name);
std::string suggest_section(std::string_view name);

}  // namespace hakuriver::config
