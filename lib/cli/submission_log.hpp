// What a run has submitted to the cluster, in a file beside its joblog, so that a run that resumes it follows what
// still runs there instead of submitting it twice.
//
//   submit ID DIGEST FIRST+COUNT FIRST+COUNT ...   before the request goes out; the commands, by place in the plan
//   taken ID BATCH                                 the host's id for it
//   end ID FIRST COUNT                             tasks of it that the run knows to have ended, by index in the batch
//   done ID
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hakuriver/result.hpp"
#include "hakuriver/task_sweep.hpp"
#include "platform/descriptor.hpp"

namespace hakuriver::cli {

struct LoggedSubmission {
  std::string id;
  std::uint64_t digest = 0;
  std::vector<PlaceRange> places{};
  std::string batch{};              // empty: it is not known whether the host has it
  std::vector<PlaceRange> ended{};  // by index in the batch
  bool is_done = false;
};

// A line that is cut off or damaged is as if it were not there.
std::vector<LoggedSubmission> parse_submission_log(std::string_view text);

std::uint64_t digest_of(std::string_view text) noexcept;

// Writes as it is told; without a path it forgets everything. One thread uses it.
class SubmissionLog {
 public:
  SubmissionLog() = default;

  // Goes on with the file, where `resumes`, else begins anew. No log beside a joblog that is no regular file.
  static Result<SubmissionLog> open(const std::string& joblog, bool resumes);

  // What an earlier run has left open; once.
  std::vector<LoggedSubmission> take_earlier();

  Status submitted(const std::string& id, std::uint64_t digest, const std::vector<PlaceRange>& places);
  Status taken(const std::string& id, const std::string& batch);
  Status ended(const std::string& id, std::uint64_t first, std::uint64_t count);
  // The file goes with the last one.
  Status done(const std::string& id);

 private:
  Status write(const std::string& line);

  std::string path_;
  platform::Descriptor file_;
  std::vector<LoggedSubmission> earlier_;
  std::uint64_t open_ = 0;
};

}  // namespace hakuriver::cli
