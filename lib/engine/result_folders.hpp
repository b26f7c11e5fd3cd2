// The directory of a run's results: one folder for each command.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "hakuriver/plan.hpp"
#include "hakuriver/result.hpp"
#include "hakuriver/run_events.hpp"
#include "platform/descriptor.hpp"

namespace hakuriver::engine {

// A command's folder while it runs; the path is empty where a run keeps no results.
struct ResultFolder {
  std::string path;
  platform::Descriptor out;  // its file `stdout`
  platform::Descriptor err;
  void close() noexcept {
    out = platform::Descriptor();
    err = platform::Descriptor();
  }
};

class ResultFolders {
 public:
  // Makes the directory where it is missing.
  static Result<ResultFolders> open(std::string directory);

  // Makes the folder, or takes the one that an earlier attempt or run has left: what it says of the outcome is removed
  // first, and its outputs are emptied. `name_of` tells the name of the plan's command with a number, "" where there
  // is none: a folder whose name belongs to two commands of the plan is left to the first that came.
  Result<ResultFolder> begin(const Command& command, std::uint64_t number,
                             const std::function<std::string(std::uint64_t)>& name_of) const;

  // Writes outcome.json, whole or not at all.
  static Status finish(ResultFolder& folder, const RunEnd& end);

 private:
  explicit ResultFolders(std::string directory) : directory_(std::move(directory)) {}

  std::string directory_;
};

}  // namespace hakuriver::engine
