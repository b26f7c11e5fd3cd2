// How many commands run at once.
#pragma once

#include <cstdint>

#include "cli/hakurun_options.hpp"

namespace hakuriver::cli {

// How many CPUs this process may use: the lesser of the affinity mask and the control group's quota, rounded down; at
// least 1.
std::uint32_t count_usable_cpus();

// -j, or with --gpus one for each of them, or with --parallel as many as there are combinations, within what the
// machine can be expected to bear; else 1.
std::uint32_t choose_jobs(const HakurunOptions& options, std::uint64_t combinations);

}  // namespace hakuriver::cli
