#include "systemd/manager_bus.hpp"

namespace hakuriver::systemd {

Status enter_scope(const Options&) { return Error{Errc::unavailable, "built without libsystemd"}; }

}  // namespace hakuriver::systemd
