// The program hakuriver-systemd.
#pragma once

#include "hakuriver/argv.hpp"

namespace hakuriver::systemd {

// The status to exit with, where it comes back.
int systemd_program(const Argv& words);

}  // namespace hakuriver::systemd
