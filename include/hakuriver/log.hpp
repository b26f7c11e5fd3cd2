// The port through which everything that goes on by itself tells what it does. The library logs nowhere else.
#pragma once

#include <cstdint>
#include <string_view>

namespace hakuriver {
inline namespace v1 {

enum class LogLevel : std::uint8_t {
  debug = 0,
  info = 1,
  warning = 2,  // something is wrong and we go on
  error = 3,    // something that was asked for was not done
};

constexpr std::string_view to_string(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::debug:
      return "DEBUG";
    case LogLevel::info:
      return "INFO";
    case LogLevel::warning:
      return "WARNING";
    case LogLevel::error:
      return "ERROR";
  }
  return "ERROR";
}

// Any thread may write at any time; lines never mix. Writing cannot fail: a line that cannot be kept is dropped.
class LogSink {
 public:
  virtual ~LogSink() = default;
  // `message` is one line without its end, and holds no secret. Control bytes in it are escaped.
  virtual void write(LogLevel level, std::string_view message) = 0;

  void debug(std::string_view message) { write(LogLevel::debug, message); }
  void info(std::string_view message) { write(LogLevel::info, message); }
  void warning(std::string_view message) { write(LogLevel::warning, message); }
  void error(std::string_view message) { write(LogLevel::error, message); }
};

}  // namespace v1
}  // namespace hakuriver
