// The lines in which hakuriver.client --follow tells of a batch (docs/sweeps.md), read back.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "hakuriver/backend.hpp"
#include "hakuriver/result.hpp"

namespace hakuriver::cli {

struct BatchLine {
  std::string id;
};
struct OutputLine {
  std::uint64_t task = 0;
  OutputStream stream = OutputStream::out;
  std::uint64_t bytes = 0;
};
struct EndLine {
  std::uint64_t first = 0;
  std::uint64_t count = 1;
  AttemptEnd end;  // without ended_at
};
using ClusterLine = std::variant<BatchLine, OutputLine, EndLine>;

// Of a batch of so many tasks: the numbers of the line are within it. Errc::parse quotes the line.
Result<ClusterLine> parse_cluster_line(std::string_view line, std::uint64_t tasks);

}  // namespace hakuriver::cli
