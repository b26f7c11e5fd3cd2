// How the host reads output that lies on a node only: the runner asks what is wanted, and brings parts of files with
// its next question. One JSON object each way; decoding fails with Errc::parse and one line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hakuriver/ids.hpp"
#include "hakuriver/result.hpp"

namespace hakuriver::wire {

// Bytes in one part; a longer stretch is asked for in several.
inline constexpr std::uint64_t kMaxOutputPart = std::uint64_t{1} << 20;
inline constexpr std::size_t kMaxOutputParts = 8;  // in one message, as wants

struct OutputWant {
  std::uint64_t number = 0;  // comes back with the part
  TaskId task;
  Attempt attempt;
  bool is_stderr = false;
  std::uint64_t offset = 0;
  std::uint64_t limit = kMaxOutputPart;
  std::uint64_t tail = 0;  // lines from the end, instead of the offset; 0: from the offset
  bool operator==(const OutputWant&) const = default;
};

struct OutputPart {
  std::uint64_t number = 0;
  std::uint64_t offset = 0;  // of the first byte
  std::uint64_t size = 0;    // of the whole file when it was read
  std::string bytes{};
  bool is_absent = false;  // there is no such file
  std::string error{};     // why it could not be read; else empty
  bool operator==(const OutputPart&) const = default;
};

// What a runner sends: what was wanted before, and the question what is wanted now.
struct OutputPoll {
  std::string node;
  std::vector<OutputPart> parts;
  bool operator==(const OutputPoll&) const = default;
};

std::string encode(const OutputPoll& message);
std::string encode(const std::vector<OutputWant>& wants);

Result<OutputPoll> decode_output_poll(std::string_view text);
Result<std::vector<OutputWant>> decode_output_wants(std::string_view text);

}  // namespace hakuriver::wire
