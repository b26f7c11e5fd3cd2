// hakuriver.init service: unit files, so that systemd starts host and runner when the machine does.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/streams.hpp"

namespace hakuriver::cli {

// As init_program(), without the word "service". A unit file that is there and differs stays, unless --force is given.
int init_service(std::span<const std::string> words, const std::vector<std::string>& environment, Streams streams);

// packaging/systemd/*.service: systemd.service(5) with @program@, @environment@ and @target@ left open.
std::string_view host_unit_template() noexcept;
std::string_view runner_unit_template() noexcept;

// A word as it stands in ExecStart= and Environment=, see "Quoting" in systemd.syntax(7): in quotation marks where it
// has to be, with "%" doubled, and "$" too where `is_command`. Control characters are written as \xHH.
std::string unit_word(std::string_view word, bool is_command);

}  // namespace hakuriver::cli
