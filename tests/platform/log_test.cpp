#include "platform/log.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <thread>
#include <vector>

#include "support/scratch_directory.hpp"

using namespace hakuriver;
using hakuriver::test::contents_of;
using hakuriver::test::ScratchDirectory;

TEST_CASE("a log line has a UTC time, a level and the message with its control bytes escaped") {
  const UtcTime time{1'744'977'600'123'456};
  struct Row {
    LogLevel level;
    std::string_view message;
    std::string_view line;
  };
  for (const auto& row : std::vector<Row>{
           {LogLevel::info, "started", "2025-04-18T12:00:00.123456Z INFO started\n"},
           {LogLevel::warning, "", "2025-04-18T12:00:00.123456Z WARNING \n"},
           {LogLevel::error, "a\nb\r\tc\\", "2025-04-18T12:00:00.123456Z ERROR a\\nb\\r\\tc\\\\\n"},
           {LogLevel::debug, std::string_view("\0\x1b[31m\x7f", 7),
            "2025-04-18T12:00:00.123456Z DEBUG \\x00\\x1b[31m\\x7f\n"},
           {LogLevel::info, "caf\xc3\xa9", "2025-04-18T12:00:00.123456Z INFO caf\xc3\xa9\n"},
       }) {
    CAPTURE(row.line);
    CHECK(platform::format_log_line(time, row.level, row.message) == row.line);
  }
}

TEST_CASE("a long message is cut and says so") {
  const auto line = platform::format_log_line({}, LogLevel::info, std::string(100'000, 'x'));
  CHECK(line.size() < 9000);
  CHECK(line.substr(line.size() - 5) == "x...\n");
}

TEST_CASE("a log file is appended to, filtered by level, and not readable by everybody") {
  const ScratchDirectory scratch;
  const std::string path = scratch.write("host.log", "earlier\n");
  auto log = platform::FileLogSink::open(path, LogLevel::warning);
  REQUIRE(log);
  (*log)->info("not this");
  (*log)->warning("but this");
  const std::string text = contents_of(path);
  CHECK(text.substr(0, 8) == "earlier\n");
  CHECK(text.find("not this") == std::string::npos);
  CHECK(text.find("Z WARNING but this\n") != std::string::npos);

  REQUIRE(platform::FileLogSink::open(scratch / "new.log"));
  struct stat facts {};
  REQUIRE(::stat((scratch / "new.log").c_str(), &facts) == 0);
  CHECK((facts.st_mode & 0007) == 0);
}

TEST_CASE("a renamed log file is left behind after reopening, and kept where that fails") {
  const ScratchDirectory scratch;
  std::filesystem::create_directory(scratch / "logs");
  const std::string path = scratch / "logs/host.log";
  auto log = platform::FileLogSink::open(path);
  REQUIRE(log);
  (*log)->info("one");
  std::filesystem::rename(path, path + ".1");
  REQUIRE((*log)->reopen());
  (*log)->info("two");
  CHECK(contents_of(path + ".1").find("one") != std::string::npos);
  CHECK(contents_of(path + ".1").find("two") == std::string::npos);
  CHECK(contents_of(path).find("two") != std::string::npos);

  std::filesystem::rename(scratch / "logs", scratch / "gone");
  CHECK(!(*log)->reopen());
  (*log)->info("three");
  CHECK(contents_of(scratch / "gone/host.log").find("three") != std::string::npos);
}

TEST_CASE("lines of several threads never mix") {
  const ScratchDirectory scratch;
  auto log = platform::FileLogSink::open(scratch / "x.log");
  REQUIRE(log);
  const std::string message(200, 'm');
  std::vector<std::thread> writers;
  for (int i = 0; i < 4; ++i) {
    writers.emplace_back([&] {
      for (int j = 0; j < 250; ++j) (*log)->info(message);
    });
  }
  for (auto& writer : writers) writer.join();
  const std::string text = contents_of(scratch / "x.log");
  CHECK(std::count(text.begin(), text.end(), '\n') == 1000);
  for (std::size_t at = 0; at < text.size();) {
    const auto end = text.find('\n', at);
    REQUIRE(text.substr(at, end - at).size() == text.find('\n'));
    at = end + 1;
  }
}

TEST_CASE("a log file that cannot be made is one line of error") {
  const auto log = platform::FileLogSink::open("/nowhere/at/all.log");
  REQUIRE(!log);
  CHECK(log.error().code == Errc::not_found);
  CHECK(log.error().message == "cannot open the log file '/nowhere/at/all.log': No such file or directory");
}
