// Log sinks that write lines "2025-04-18T12:00:00.123456Z WARNING message".
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "hakuriver/log.hpp"
#include "hakuriver/result.hpp"
#include "hakuriver/time.hpp"
#include "platform/descriptor.hpp"

namespace hakuriver::platform {

// The line with its end. Control bytes become \n, \t, \r or \xHH and a backslash is doubled, so that a message cannot
// forge a line or steer a terminal; bytes from 128 up pass. Messages are cut at 8 KiB and then end in "...".
std::string format_log_line(UtcTime time, LogLevel level, std::string_view message);

// Writes to the program's standard error, from `least` up.
class StderrLogSink final : public LogSink {
 public:
  explicit StderrLogSink(LogLevel least = LogLevel::info) noexcept : least_(least) {}
  void write(LogLevel level, std::string_view message) override;

 private:
  const LogLevel least_;
};

// Appends to a file, one write(2) for each line, so that several programs may share it.
class FileLogSink final : public LogSink {
 public:
  // Creates the file with mode 0640 where it is missing.
  static Result<std::unique_ptr<FileLogSink>> open(std::string path, LogLevel least = LogLevel::info);

  void write(LogLevel level, std::string_view message) override;

  // Opens the path anew, for after the file was renamed. On failure the old one stays in use.
  Status reopen();

 private:
  FileLogSink(std::string path, Descriptor file, LogLevel least);

  const std::string path_;
  const LogLevel least_;
  std::mutex mutex_;
  Descriptor file_;  // guarded by mutex_
};

}  // namespace hakuriver::platform
