// Journals on disk, and runs that go on with them.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "engine/journal_file.hpp"
#include "engine/plans.hpp"
#include "hakuriver/run_sweep.hpp"
#include "support/scratch_directory.hpp"

using namespace hakuriver;
using engine::JournalContent;
using engine::JournalFile;
using hakuriver::test::contents_of;
using hakuriver::test::NamedScript;
using hakuriver::test::ScratchDirectory;

namespace {

struct Ran {
  Result<RunSummary> result = RunSummary{};
  std::multiset<std::uint64_t> indices;
  std::vector<std::uint64_t> skipped;
  std::vector<std::string> notices;
};

Ran run(const Plan& plan, const RunOptions& options) {
  Ran ran;
  RunEvents events;
  events.ended = [&ran](const RunEnd& end) { ran.indices.insert(end.index); };
  events.skipped = [&ran](std::uint64_t index) { ran.skipped.push_back(index); };
  events.notice = [&ran](std::string_view line) { ran.notices.emplace_back(line); };
  ran.result = run_sweep(plan, options, events);
  return ran;
}

RunOptions with_journal(const std::string& path) {
  RunOptions options;
  options.joblog = path;
  return options;
}

using Indices = std::multiset<std::uint64_t>;

}  // namespace

TEST_CASE("an end is told before the journal has it, so that no output is lost with it") {
  const ScratchDirectory scratch;
  std::vector<std::ptrdiff_t> lines;
  RunEvents events;
  events.ended = [&](const RunEnd&) {
    const auto text = contents_of(scratch / "log");
    lines.push_back(std::count(text.begin(), text.end(), '\n'));
  };
  CHECK(run_sweep(NamedScript("true", 3), with_journal(scratch / "log"), events));
  CHECK(lines == std::vector<std::ptrdiff_t>{1, 2, 3});  // the header, and those before
}

TEST_CASE("a journal has a line for each attempt, and a run that goes on leaves out what has succeeded") {
  const ScratchDirectory scratch;
  const NamedScript plan("test $1 != 2 && test $1 != 4", 6);
  auto options = with_journal(scratch / "log");
  options.retries = 1;
  CHECK(run(plan, options).indices == Indices{0, 1, 2, 2, 3, 4, 4, 5});
  const auto text = contents_of(scratch / "log");
  CHECK(text.substr(0, kJournalHeader.size()) == kJournalHeader);
  CHECK(std::count(text.begin(), text.end(), '\n') == 9);

  options.retries = 0;
  options.resume = true;
  auto again = run(plan, options);
  CHECK(again.indices == Indices{2, 4});
  CHECK(again.result->skipped == 4);
  CHECK(again.skipped == std::vector<std::uint64_t>{0, 1, 3, 5});
  CHECK(again.notices.empty());
  options.resume = false;
  options.retry_failed = true;
  again = run(NamedScript("test $1 != 2 && test $1 != 4", 8), options);
  CHECK(again.indices == Indices{2, 4});
  CHECK(again.result->skipped == 6);
}

TEST_CASE("commands that have changed run, and it is said once") {
  const ScratchDirectory scratch;
  auto options = with_journal(scratch / "log");
  run(NamedScript("true", 4), options);
  options.resume = true;
  const auto again = run(NamedScript("true;", 5), options);
  CHECK(again.indices == Indices{0, 1, 2, 3, 4});
  CHECK(again.result->changed == 4);
  CHECK(again.notices.size() == 1);
  CHECK(run(NamedScript("true", 6), options).indices == Indices{4, 5});
}

TEST_CASE("a journal that exists is not written over") {
  const ScratchDirectory scratch;
  const auto options = with_journal(scratch / "log");
  run(NamedScript("true", 1), options);
  const auto before = contents_of(scratch / "log");
  const auto again = run(NamedScript("true", 1), options);
  REQUIRE_FALSE(again.result);
  CHECK(again.result.error().code == Errc::conflict);
  CHECK(again.indices.empty());
  CHECK(contents_of(scratch / "log") == before);
}

TEST_CASE("a journal that was cut off at any byte loses that record only") {
  const ScratchDirectory scratch;
  const NamedScript plan("true", 4);
  auto options = with_journal(scratch / "log");
  run(plan, options);
  const auto whole = contents_of(scratch / "log");
  options.resume = true;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    for (const std::string& tail : {std::string(), std::string(17, '\0')}) {
      CAPTURE(size);
      CAPTURE(tail.size());
      scratch.write("log", whole.substr(0, size) + tail);
      JournalContent content;
      REQUIRE(JournalFile::resume(scratch / "log", content));
      const auto kept = whole.substr(0, size);
      const auto lines = static_cast<std::uint64_t>(std::count(kept.begin(), kept.end(), '\n'));
      CHECK(content.records == (lines == 0 ? 0 : lines - 1));
      const auto end = kept.rfind('\n');
      const std::string expected = end == std::string::npos ? std::string(kJournalHeader) : kept.substr(0, end + 1);
      CHECK(contents_of(scratch / "log") == expected);
    }
  }
  scratch.write("log", whole.substr(0, whole.size() - 1));
  const auto again = run(plan, options);
  CHECK(again.indices == Indices{3});
  CHECK(again.notices.size() == 1);
  const auto after = contents_of(scratch / "log");
  CHECK(std::count(after.begin(), after.end(), '\n') == 5);
}

TEST_CASE("a run that is killed at any moment is gone on with, and only the command whose end it told runs again") {
  const ScratchDirectory scratch;
  const std::string ran = scratch / "ran";
  const NamedScript plan("echo $1 >> " + ran, 60);
  for (int round = 0; round < 6; ++round) {
    auto options = with_journal(scratch / "log");
    options.resume = true;
    const pid_t child = ::fork();
    if (child == 0) {
      RunEvents events;
      int left = 4 + round;
      events.ended = [&left](const RunEnd&) {
        if (--left == 0) ::kill(::getpid(), SIGKILL);
      };
      (void)run_sweep(plan, options, events);
      ::_exit(0);
    }
    ::waitpid(child, nullptr, 0);
  }
  auto options = with_journal(scratch / "log");
  options.resume = true;
  const auto last = run(plan, options);
  REQUIRE(last.result);
  CHECK(last.result->skipped + last.result->succeeded == 60);
  CHECK(last.result->skipped == 3 + 4 + 5 + 6 + 7 + 8);
  std::multiset<std::string> lines;
  std::ifstream file(ran);
  for (std::string line; std::getline(file, line);) lines.insert(line);
  CHECK(lines.size() == 60 + 6);  // one for each run that was killed
  for (int i = 0; i < 60; ++i) CHECK(lines.count(std::to_string(i)) >= 1);
}

TEST_CASE("damaged lines do not count, and are told") {
  const ScratchDirectory scratch;
  const NamedScript plan("true", 3);
  auto options = with_journal(scratch / "log");
  run(plan, options);
  auto text = contents_of(scratch / "log");
  const auto second = text.find('\n', text.find('\n') + 1) + 1;
  text.replace(second, 5, std::string(5, '\0'));
  scratch.write("log", text);
  options.resume = true;
  const auto again = run(plan, options);
  CHECK(again.indices == Indices{1});
  CHECK(again.notices.size() == 1);
}

TEST_CASE("what is no journal is refused and left as it is") {
  const ScratchDirectory scratch;
  for (const std::string text : {"hello\n", "hello", "Seq\tHost\n", "\n"}) {
    scratch.write("log", text);
    auto options = with_journal(scratch / "log");
    options.resume = true;
    const auto ran = run(NamedScript("true", 1), options);
    REQUIRE_FALSE(ran.result);
    CHECK(ran.result.error().code == Errc::parse);
    CHECK(contents_of(scratch / "log") == text);
  }
}

TEST_CASE("a journal of GNU parallel can be gone on with") {
  const ScratchDirectory scratch;
  scratch.write("log",
                "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n"
                "1\t:\t1795244535.616\t     0.000\t0\t0\t0\t0\techo a\n");
  auto options = with_journal(scratch / "log");
  options.resume = true;
  Command done;
  done.argv = {"echo", "a"};
  Command other;
  other.argv = {"true"};
  CHECK(run(hakuriver::test::CommandList({done, other}), options).indices == Indices{1});
}

TEST_CASE("two runs at once do not share a journal") {
  const ScratchDirectory scratch;
  auto options = with_journal(scratch / "log");
  RunEvents events;
  Errc second = Errc::internal;
  events.ended = [&](const RunEnd&) {
    auto again = options;
    again.resume = true;
    const auto result = run_sweep(NamedScript("true", 1), again);
    if (!result) second = result.error().code;
  };
  CHECK(run_sweep(NamedScript("true", 1), options, events));
  CHECK(second == Errc::conflict);
}

TEST_CASE("a journal that cannot be written stops the run, and holds whole records") {
  const auto full = run(NamedScript("true", 3), with_journal("/dev/full"));
  REQUIRE_FALSE(full.result);
  CHECK(full.result.error().message.find("'/dev/full': No space left") != std::string::npos);
  CHECK(full.indices.empty());

  const ScratchDirectory scratch;
  const auto ignored = ::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  rlimit small = before;
  small.rlim_cur = kJournalHeader.size() + 200;
  ::setrlimit(RLIMIT_FSIZE, &small);
  const auto ran = run(NamedScript("true", 100), with_journal(scratch / "log"));
  ::setrlimit(RLIMIT_FSIZE, &before);
  ::signal(SIGXFSZ, ignored);
  REQUIRE_FALSE(ran.result);
  CHECK(ran.result.error().message.find("cannot write the journal") == 0);
  CHECK(ran.indices.size() < 10);
  const auto text = contents_of(scratch / "log");
  CHECK(text.size() <= small.rlim_cur);
  CHECK(text.back() == '\n');
  CHECK(std::count(text.begin(), text.end(), '\n') == static_cast<std::ptrdiff_t>(ran.indices.size()));
}
