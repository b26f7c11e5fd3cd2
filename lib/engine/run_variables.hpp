// What a command finds of its run in its environment.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hakuriver/plan.hpp"

namespace hakuriver::engine {

class RunVariables {
 public:
  // `total` commands; `run` is this run's own name among all.
  RunVariables(std::uint64_t total, std::string_view run);

  // "HAKURUN_INDEX=1" and so on, as run_sweep.hpp lists them. Holds until the next call.
  const std::vector<std::string>& of(const Command& command, std::uint64_t index, std::uint32_t slot,
                                     std::uint32_t attempt);

 private:
  std::vector<std::string> entries_;
};

}  // namespace hakuriver::engine
