#include "cli/hakurun_output.hpp"

#include <doctest/doctest.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "platform/descriptor.hpp"

using namespace hakuriver;
using namespace hakuriver::cli;

namespace {

constexpr auto kOut = OutputStream::out;
constexpr auto kErr = OutputStream::err;

// A file in memory that tells what has come since the last time.
class Target {
 public:
  int fd() const { return file_.get(); }
  std::string take() {
    std::string text(1 << 22, '\0');
    const auto count = ::pread(fd(), text.data(), text.size(), read_);
    text.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
    read_ += count;
    return text;
  }

 private:
  platform::Descriptor file_{::memfd_create("target", MFD_CLOEXEC)};
  off_t read_ = 0;
};

struct Rig {
  explicit Rig(OutputStyle style) : output(PatientWriter{}, out.fd(), err.fd(), style) {}
  void add(std::uint64_t index, std::string_view bytes, OutputStream stream = kOut) {
    REQUIRE(output.add(index, stream, bytes));
  }
  Target out;
  Target err;
  CommandOutput output;
};

// Address sanitizers keep what is freed for a while.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kMemoryTells = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
constexpr bool kMemoryTells = false;
#else
constexpr bool kMemoryTells = true;
#endif
#else
constexpr bool kMemoryTells = true;
#endif

std::uint64_t resident_kilobytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t pages = 0;
  file >> pages >> pages;
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) / 1024;
}

}  // namespace

TEST_CASE("grouped output comes in one piece when its command ends, stdout first, bytes unchanged") {
  Rig rig({});
  rig.output.begin(1, "a");
  rig.output.begin(2, "b");
  rig.add(1, "1a");
  rig.add(2, std::string("2\xff\0\x80", 4));
  rig.add(1, "oh\n", kErr);
  rig.add(1, "1b\n");
  CHECK(rig.out.take().empty());
  REQUIRE(rig.output.finish(2));
  CHECK(rig.out.take() == std::string("2\xff\0\x80", 4));
  REQUIRE(rig.output.finish(1));
  CHECK(rig.out.take() == "1a1b\n");
  CHECK(rig.err.take() == "oh\n");
  rig.add(1, "late\n");  // a process that it left behind
  CHECK(rig.out.take() == "late\n");
}

TEST_CASE("with keep-order output waits for its turn, and that of retries stays with its command") {
  OutputStyle style;
  style.keep_order = true;
  Rig rig(style);
  for (const std::uint64_t index : {5u, 3u, 9u}) rig.output.begin(index);
  rig.add(3, "three\n");
  rig.add(9, "nine\n");
  REQUIRE(rig.output.finish(9));
  REQUIRE(rig.output.finish(3));
  CHECK(rig.out.take().empty());
  CHECK(!rig.output.is_written(3));
  rig.add(5, "five fails\n");
  REQUIRE(rig.output.finish(5, true));
  CHECK(rig.out.take().empty());
  rig.output.begin(5);
  rig.add(5, "five\n");
  REQUIRE(rig.output.finish(5));
  CHECK(rig.out.take() == "five fails\nfive\nthree\nnine\n");
  CHECK(rig.output.is_written(3));
}

TEST_CASE("by lines, whole lines come at once, whoever prints what between") {
  OutputStyle style;
  style.by_lines = true;
  Rig rig(style);
  rig.output.begin(1);
  rig.output.begin(2);
  rig.add(1, "one ");
  rig.add(2, "two\ntw");
  CHECK(rig.out.take() == "two\n");
  rig.add(1, "line\nmore\nrest");
  CHECK(rig.out.take() == "one line\nmore\n");
  rig.add(2, "o\n");
  CHECK(rig.out.take() == "two\n");
  REQUIRE(rig.output.finish(1));
  CHECK(rig.out.take() == "rest\n");  // its end is added, so that lines stay lines
  REQUIRE(rig.output.finish(2));
  CHECK(rig.out.take().empty());
}

TEST_CASE("by lines in order, the first command's output comes at once and the others wait") {
  OutputStyle style;
  style.by_lines = true;
  style.keep_order = true;
  Rig rig(style);
  rig.output.begin(1);
  rig.output.begin(2);
  rig.add(2, "two\nhalf");
  rig.add(1, "half ");
  CHECK(rig.out.take() == "half ");
  rig.add(1, "one\n");
  CHECK(rig.out.take() == "one\n");
  REQUIRE(rig.output.finish(1));
  CHECK(rig.out.take() == "two\nhalf");
  rig.add(2, " line");
  CHECK(rig.out.take() == " line");
  REQUIRE(rig.output.finish(2));
  CHECK(rig.out.take().empty());
}

TEST_CASE("tags stand in front of every line, and a name cannot break them") {
  OutputStyle style;
  style.tag = true;
  Rig rig(style);
  rig.output.begin(1, "lr=0.1");
  rig.output.begin(2, "x=a\nb");
  rig.add(1, "a\n\nb");
  rig.add(1, "c", kErr);
  rig.add(1, "d\n");
  rig.add(2, "z\n");
  REQUIRE(rig.output.finish(1));
  CHECK(rig.out.take() == "lr=0.1\ta\nlr=0.1\t\nlr=0.1\tbd\n");
  CHECK(rig.err.take() == "lr=0.1\tc\n");
  REQUIRE(rig.output.finish(2));
  CHECK(rig.out.take() == "x=a?b\tz\n");

  style.by_lines = true;
  Rig lines(style);
  lines.output.begin(1, "n");
  lines.add(1, "half");
  lines.add(1, " line\nnext\n");
  CHECK(lines.out.take() == "n\thalf line\nn\tnext\n");
}

TEST_CASE("large output of many commands stays whole and does not stay in memory") {
  OutputStyle style;
  style.keep_order = true;
  Rig rig(style);
  const std::string block(32 * 1024, 'x');
  const std::uint64_t before = resident_kilobytes();
  constexpr std::uint64_t kCommands = 40;
  constexpr int kBlocks = 128;  // 4 MiB each
  for (std::uint64_t index = 0; index < kCommands; ++index) rig.output.begin(index);
  for (int round = 0; round < kBlocks; ++round) {
    for (std::uint64_t index = 1; index < kCommands; ++index) {
      rig.add(index, std::string(1, static_cast<char>('A' + index)) + block.substr(1));
    }
  }
  if (kMemoryTells) CHECK(resident_kilobytes() - before < 64 * 1024);
  for (std::uint64_t index = 1; index < kCommands; ++index) REQUIRE(rig.output.finish(index));
  CHECK(rig.out.take().empty());
  REQUIRE(rig.output.finish(0));
  std::string expected;
  for (std::uint64_t index = 1; index < kCommands; ++index) {
    std::string text;
    while (text.size() < kBlocks * block.size()) text += rig.out.take();
    bool is_whole = text.size() == kBlocks * block.size();
    for (std::size_t at = 0; is_whole && at < text.size(); ++at) {
      is_whole = text[at] == (at % block.size() == 0 ? static_cast<char>('A' + index) : 'x');
    }
    CAPTURE(index);
    REQUIRE(is_whole);
  }
}

TEST_CASE("what has been taken out of the file is given back") {
  OutputSpool spool;
  OutputSpool::Kept one;
  OutputSpool::Kept two;
  const std::string block(100'000, 'b');
  REQUIRE(spool.append(one, block));
  REQUIRE(spool.append(two, block));
  REQUIRE(spool.append(one, block));
  CHECK(spool.bytes_in_file() == 300'000);
  std::size_t taken = 0;
  const auto count = [&taken](std::string_view bytes) {
    taken += bytes.size();
    return Status(Unit{});
  };
  REQUIRE(spool.take_out(one, count));
  CHECK(taken == 200'000);
  CHECK(spool.bytes_in_file() == 100'000);
  CHECK(one.empty());
  CHECK(!spool.take_out(two, [](std::string_view) { return Status(Error{Errc::io, "full"}); }));
  CHECK(spool.bytes_in_file() == 0);
}

TEST_CASE("without room the output is still written, with an error that says so") {
  const char* const before = ::getenv("TMPDIR");
  const std::string restored = before == nullptr ? "" : before;
  ::setenv("TMPDIR", "/dev/null/nowhere", 1);
  Rig rig({});
  rig.output.begin(1);
  const auto added = rig.output.add(1, kOut, std::string(100'000, 'z'));
  REQUIRE(!added);
  CHECK(added.error().code == Errc::limit);
  CHECK(rig.out.take().size() == 100'000);
  if (before == nullptr) {
    ::unsetenv("TMPDIR");
  } else {
    ::setenv("TMPDIR", restored.c_str(), 1);
  }
}

TEST_CASE("what is left is written at the end") {
  for (const bool keep_order : {false, true}) {
    OutputStyle style;
    style.keep_order = keep_order;
    Rig rig(style);
    rig.output.begin(1);
    rig.output.begin(2);
    rig.add(2, "two");
    rig.add(1, "one");
    REQUIRE(rig.output.finish_all());
    CHECK(rig.out.take().size() == 6);
    CHECK(rig.output.is_written(1));
  }
}
