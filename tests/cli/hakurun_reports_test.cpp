#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "cli/hakurun_failures.hpp"
#include "cli/hakurun_progress.hpp"
#include "platform/descriptor.hpp"

using namespace hakuriver;
using namespace hakuriver::cli;
using namespace std::chrono_literals;

namespace {

struct Pipe {
  Pipe() {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
    read_end = platform::Descriptor(ends[0]);
    write_end = platform::Descriptor(ends[1]);
  }
  std::string take() const {
    char bytes[4096];
    const auto count = ::read(read_end.get(), bytes, sizeof bytes);
    return {bytes, count < 0 ? 0 : static_cast<std::size_t>(count)};
  }
  platform::Descriptor read_end;
  platform::Descriptor write_end;
};

}  // namespace

TEST_CASE("the end of stderr is its last lines, bounded and printable") {
  StderrTails tails;
  CHECK(tails.take(1).empty());
  tails.add(1, "nobody\n");
  CHECK(tails.take(1).empty());
  for (const std::uint64_t index : {1u, 2u, 3u, 4u}) tails.begin(index);
  tails.add(1, "a\nb\n");
  tails.add(1, "c\nd\ne\nf");
  tails.add(2, "other\n");
  CHECK(tails.take(1) == std::vector<std::string>{"b", "c", "d", "e", "f"});
  CHECK(tails.take(1).empty());
  CHECK(tails.take(2) == std::vector<std::string>{"other"});
  tails.add(3, "\n\nx\x1b[31m\r\n\n");
  CHECK(tails.take(3) == std::vector<std::string>{"x?[31m?"});
  for (int i = 0; i < 1000; ++i) tails.add(4, std::string(5000, 'y'));
  const auto lines = tails.take(4);
  REQUIRE(lines.size() == 1);
  CHECK(lines.front().size() <= 1024);
}

TEST_CASE("the summary of failures is bounded") {
  FailureList list;
  list.add("exit 1: ./run 1", "no luck");
  CHECK(list.summary(1).empty());
  CHECK(list.summary(2) == std::vector<std::string>{"  exit 1: ./run 1: no luck"});
  for (int i = 0; i < 100; ++i) list.add("exit 1: ./run", "");
  const auto lines = list.summary(1000);
  CHECK(list.count() == 101);
  REQUIRE(lines.size() == FailureList::kShown + 1);
  CHECK(lines[1] == "  exit 1: ./run");
  CHECK(lines.back() == "  and 81 more");
}

TEST_CASE("progress says what is done, how fast it goes, and how long it will take") {
  struct Row {
    ProgressCounts counts;
    std::chrono::milliseconds elapsed;
    std::string text;
  };
  const std::vector<Row> rows = {
      {{100, 0, 0, 4}, 3s, "0/100 done, 0 failed, 4 running"},
      {{100, 10, 1, 4}, 5s, "10/100 done, 1 failed, 4 running, 2.0/s, 45s left"},
      {{100, 1, 0, 1}, 100s, "1/100 done, 0 failed, 1 running, 0.01/s, 2h45m left"},
      {{1000, 600, 0, 2}, 1s, "600/1000 done, 0 failed, 2 running, 600/s, 1s left"},
      {{6, 6, 0, 0}, 2s, "6/6 done, 0 failed, 0 running, 3.0/s"},
      {{1'000'000'000'000, 1, 0, 1}, 1s, "1/1000000000000 done, 0 failed, 1 running, 1.0/s, 11574d01h left"},
      {{5, 1, 0, 2, 95}, 1s, "1/5 done, 0 failed, 2 running, 95 skipped, 1.0/s, 4s left"},
      {{100, 12, 0, 88, 0, true}, 6s, "12/100 done, 0 failed, 88 on the cluster, 2.0/s, 44s left"},
      {{300, 100, 0, 1}, 100s, "100/300 done, 0 failed, 1 running, 1.0/s, 3m20s left"},
  };
  for (const auto& row : rows) CHECK(progress_text(row.counts, row.elapsed, 120) == row.text);
  CHECK(progress_text(rows[1].counts, 5s, 10) == "10/100 don");
}

TEST_CASE("a status line is drawn at most ten times a second and taken away before other words") {
  const Pipe pipe;
  const Progress::Clock::time_point begin{};
  Progress progress(Progress::Kind::line, pipe.write_end.get(), begin);
  const ProgressCounts counts{10, 5, 0, 1};
  progress.update(counts, begin + 200ms);
  CHECK(pipe.take().empty());  // it may be over soon
  progress.update(counts, begin + 600ms);
  const std::string drawn = pipe.take();
  CHECK(drawn.front() == '\r');
  CHECK(drawn.find("5/10 done") != std::string::npos);
  CHECK(drawn.find('\n') == std::string::npos);
  progress.update(counts, begin + 650ms);
  CHECK(pipe.take().empty());
  progress.erase();
  CHECK(pipe.take() == "\r\x1b[K");
  progress.erase();
  CHECK(pipe.take().empty());
  progress.update(counts, begin + 700ms);
  CHECK(!pipe.take().empty());
  progress.finish(counts, begin + 701ms);
  CHECK(pipe.take() == "\r\x1b[K");
}

TEST_CASE("plain lines of progress come every ten seconds and at the end") {
  const Pipe pipe;
  const Progress::Clock::time_point begin{};
  Progress progress(Progress::Kind::lines, pipe.write_end.get(), begin);
  progress.update({10, 5, 0, 1}, begin + 9s);
  CHECK(pipe.take().empty());
  progress.update({10, 5, 0, 1}, begin + 10s);
  CHECK(pipe.take() == "hakurun: 5/10 done, 0 failed, 1 running, 0.50/s, 10s left\n");
  progress.update({10, 6, 0, 1}, begin + 11s);
  CHECK(pipe.take().empty());
  progress.finish({10, 10, 0, 0}, begin + 12s);
  CHECK(pipe.take() == "hakurun: 10/10 done, 0 failed, 0 running, 0.83/s\n");
  Progress none(Progress::Kind::none, pipe.write_end.get(), begin);
  none.update({10, 5, 0, 1}, begin + 100s);
  none.finish({10, 5, 0, 1}, begin + 100s);
  CHECK(pipe.take().empty());
}
