// A run's journal on disk.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "hakuriver/result.hpp"
#include "hakuriver/run/journal.hpp"
#include "hakuriver/run/journal_index.hpp"
#include "platform/descriptor.hpp"

namespace hakuriver::engine {

// What opening a journal has found in it.
struct JournalContent {
  JournalIndex index;
  std::uint64_t records = 0;
  std::uint64_t damaged = 0;  // lines that are no records, and are left as they are
  std::uint64_t cut_off = 0;  // bytes behind the last line break, which are gone now
};

// One process at a time has a journal open for writing (flock). Each record is one write(2) behind the others.
class JournalFile {
 public:
  // The file must not exist, or be empty or no regular file (a pipe, /dev/stderr).
  static Result<JournalFile> create(const std::string& path);

  // Reads what is there. A file that does not exist is made, as create() would.
  static Result<JournalFile> resume(const std::string& path, JournalContent& content);

  // After a failure nothing of the record is in the file.
  Status append(const JournalEntry& entry);

 private:
  JournalFile(std::string path, platform::Descriptor file) : path_(std::move(path)), file_(std::move(file)) {}
  static Result<JournalFile> open(const std::string& path);
  Status read_content(JournalContent& content);
  Status begin();
  Status write(std::string_view text);

  std::string path_;
  platform::Descriptor file_;
  std::optional<std::int64_t> size_;  // none: not a regular file
  std::string line_;                  // kept between records
};

}  // namespace hakuriver::engine
