// A command bound to one NUMA node by numactl(8), which replaces itself with the command.
//
//   build_numactl({"./solve", "--fast"}, 1)
//     -> numactl --cpunodebind=1 --membind=1 -- ./solve --fast
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "hakuriver/argv.hpp"

namespace hakuriver {
inline namespace v1 {

// `numactl` is the program to use: a path, or a name that is looked up on PATH.
inline Argv build_numactl(const Argv& command, std::uint32_t numa_node, std::string numactl = "numactl") {
  const std::string node = std::to_string(numa_node);
  Argv argv{std::move(numactl), "--cpunodebind=" + node, "--membind=" + node, "--"};
  argv.insert(argv.end(), command.begin(), command.end());
  return argv;
}

}  // namespace v1
}  // namespace hakuriver
