// The token file: the secret that host, runners and clients share.
#pragma once

#include <string>
#include <string_view>

#include "hakuriver/result.hpp"

namespace hakuriver::config {

// 64 hex digits, in lower case: 256 bits.
bool is_token(std::string_view text) noexcept;

// Writes the token to a new file with mode 0600 and syncs it. Errc::conflict where something is there already, which
// is never touched; invalid_argument where it is no token.
Status create_token_file(const std::string& path, std::string_view token);

// Blanks and line ends around the token are left out. Errc::denied where anybody but the owner may read the file.
// No error shows what is in it.
Result<std::string> read_token_file(const std::string& path);

}  // namespace hakuriver::config
