// A TaskSweep as JSON: the same in a submission, in the database and on its way to a node.
//
//   {"words": ["train", ["--lr=", {"axis": "lr"}], {"axis": "seed"}],
//    "axes": [{"name": "lr", "values": ["0.1", "0.2"]}, {"name": "seed", "first": 1, "last": 100}]}
//
// docs/sweeps.md describes all of it.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "hakuriver/result.hpp"
#include "hakuriver/task_sweep.hpp"
#include "wire/invalid_input.hpp"
#include "wire/json.hpp"
#include "wire/task_sweep_text.hpp"

namespace hakuriver::wire {

// Members that are not known are errors. None where there are errors, of these or before.
std::optional<TaskSweep> read_task_sweep(const Json& value, InvalidInput& errors, const Path& path);

// Errc::parse or Errc::limit.
Result<TaskSweep> decode_task_sweep(std::string_view text);

// How long the texts of one task's command can become at most, so that it can be checked before there is one.
struct SweepSize {
  std::size_t longest_argument = 0;
  std::size_t argv_bytes = 0;       // with a NUL for each
  std::size_t variables_bytes = 0;  // of what sweep_variables() adds, with '=' and NUL
  std::size_t longest_variable = 0;
  std::size_t shortest_command = 0;  // the least length of the first word
  bool has_nul = false;
};
SweepSize measure(const CommandSweep& sweep);

}  // namespace hakuriver::wire
