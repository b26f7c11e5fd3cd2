// What is said to a container engine and what it says: https://docs.docker.com/engine/api/v1.41/. Everything that is
// read may be garbage; the result is then an error of code parse.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "container/engine.hpp"

namespace hakuriver::container {

inline constexpr std::string_view kOldestVersion = "1.41";

// The version to speak, of what GET /version answered: 1.41, or the oldest that the engine still takes. Errc::limit
// where the engine's newest is older than 1.41.
Result<std::string> negotiate_version(std::string_view answer);

std::string encode_create(const Container& container, const Argv& command, const std::vector<std::string>& environment);
std::string encode_exec(const Argv& command);

Result<Image> decode_image(std::string_view answer);
// The answer to an inspection, or only its member State, which has no owner.
Result<ContainerState> decode_container(std::string_view answer);
Result<ContainerState> decode_state(std::string_view answer);
Result<std::string> decode_exec_id(std::string_view answer);
// Whether the command still runs.
Result<bool> decode_exec_running(std::string_view answer);
// The member "message" of an error, in one line of at most 500 bytes; the text itself where there is none.
std::string decode_error(std::string_view answer);

}  // namespace hakuriver::container
