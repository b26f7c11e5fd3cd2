// Who and where this machine and this program are.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hakuriver/result.hpp"

namespace hakuriver::platform {

// The host name up to its first dot, as a node is called by default.
Result<std::string> host_name();

// 32 hex digits that differ at each boot of the machine: /proc/sys/kernel/random/boot_id without its dashes.
Result<std::string> boot_id();

// 32 hex digits that belong to this installation of the system: machine-id(5), or none (Errc::not_found).
Result<std::string> machine_id();

// The supplementary groups of this process.
std::vector<std::uint32_t> own_groups();

// The directory of the running program, links resolved.
Result<std::string> executable_directory();

// All addresses of this machine's interfaces, as text ("127.0.0.1", "fe80::1"), without scopes.
Result<std::vector<std::string>> own_addresses();

// Whether the text is an address of the loopback net (127.0.0.0/8, ::1, and those mapped into IPv6).
bool is_loopback_address(std::string_view text);

// Whether the text is one of this machine's addresses, in whatever spelling. Host names are not looked up.
bool is_own_address(std::string_view text);

}  // namespace hakuriver::platform
