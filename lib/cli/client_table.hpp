// The client's options as one table, which serves the parser, the checks and the help.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "cli/client_options.hpp"
#include "cli/options.hpp"

namespace hakuriver::cli {

// What a command line is about; options that make no sense there are refused.
enum class ClientUse : std::uint8_t { submit, status, output, commands, tasks, nodes, all_nodes, batch };

constexpr std::uint8_t mask_of(ClientUse use) noexcept {
  return static_cast<std::uint8_t>(1U << static_cast<unsigned>(use));
}

struct ClientOption {
  Option option;
  std::uint8_t goes_with = 0;            // masks of the uses it is an option of
  std::optional<ClientAction> action{};  // what it asks for by itself
  ClientUse use = ClientUse::submit;     // only with `action`
};

std::span<const ClientOption> client_options();
// The same without what is the client's own.
std::span<const Option> plain_options();
// Null: there is none.
const ClientOption* find_client_option(std::string_view name);

}  // namespace hakuriver::cli
