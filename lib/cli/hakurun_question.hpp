// A question to whoever sits at the terminal.
#pragma once

#include <optional>
#include <string_view>

namespace hakuriver::cli {

// Asks on the controlling terminal, whatever stdin and stdout are, and waits for a line. "y" and "yes" in any case are
// a yes, everything else is a no. Nothing where there is no such terminal.
std::optional<bool> ask_on_terminal(std::string_view question);

}  // namespace hakuriver::cli
