#include "systemd/manager_bus.hpp"

namespace hakuriver::systemd {

Status enter_scope(const Options&) { return Error{Errc::unavailable, "built without libsystemd"}; }

std::optional<UnitState> read_scope_state(const Options&) { return std::nullopt; }

std::optional<bool> act_on_scope(const Options&, const std::string&, int) { return std::nullopt; }

void stop_empty_scope(const Options&) {}

}  // namespace hakuriver::systemd
