// The keeper's log: one line per remark on standard error, which is `keeper.log`.
#pragma once

#include <unistd.h>

#include <string>
#include <string_view>

#include "keeper/clocks.hpp"

namespace hakuriver::keeper {

inline void log_line(std::string_view text) {
  std::string line = to_iso8601(utc_now()) + " " + std::string(text) + "\n";
  // A log that cannot be written is nobody's failure.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace hakuriver::keeper
