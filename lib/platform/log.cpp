#include "platform/log.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "platform/clock.hpp"
#include "platform/system_error.hpp"

namespace hakuriver::platform {
namespace {

constexpr std::size_t kMaxMessage = 8192;

void append_escaped(std::string& line, char c) {
  constexpr char kDigits[] = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  if (c == '\\') {
    line += "\\\\";
  } else if (c == '\n') {
    line += "\\n";
  } else if (c == '\r') {
    line += "\\r";
  } else if (c == '\t') {
    line += "\\t";
  } else if (byte < 0x20 || byte == 0x7f) {
    line += "\\x";
    line += kDigits[byte >> 4];
    line += kDigits[byte & 15];
  } else {
    line += c;
  }
}

void write_line(int file, LogLevel level, std::string_view message) {
  const std::string line = format_log_line(utc_now(), level, message);
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t written = ::write(file, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return;
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
}

Result<Descriptor> open_log(const std::string& path) {
  const int number = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
  if (number < 0) return system_error("cannot open the log file '" + path + "'", errno);
  return Descriptor(number);
}

}  // namespace

std::string format_log_line(UtcTime time, LogLevel level, std::string_view message) {
  std::string line = to_iso8601(time);
  line.resize(line.size() - std::string_view("+00:00").size());
  line += "Z ";
  line += to_string(level);
  line += ' ';
  for (const char c : message.substr(0, kMaxMessage)) append_escaped(line, c);
  if (message.size() > kMaxMessage) line += "...";
  line += '\n';
  return line;
}

void StderrLogSink::write(LogLevel level, std::string_view message) {
  if (level >= least_) write_line(STDERR_FILENO, level, message);
}

FileLogSink::FileLogSink(std::string path, Descriptor file, LogLevel least)
    : path_(std::move(path)), least_(least), file_(std::move(file)) {}

Result<std::unique_ptr<FileLogSink>> FileLogSink::open(std::string path, LogLevel least) {
  auto file = open_log(path);
  if (!file) return file.error();
  return std::unique_ptr<FileLogSink>(new FileLogSink(std::move(path), std::move(*file), least));
}

void FileLogSink::write(LogLevel level, std::string_view message) {
  if (level < least_) return;
  const std::lock_guard lock(mutex_);
  write_line(file_.get(), level, message);
}

Status FileLogSink::reopen() {
  auto file = open_log(path_);
  if (!file) return file.error();
  const std::lock_guard lock(mutex_);
  file_ = std::move(*file);
  return Unit{};
}

}  // namespace hakuriver::platform
