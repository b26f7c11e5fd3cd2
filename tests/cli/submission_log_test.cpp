#include "cli/submission_log.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "support/scratch_directory.hpp"

using namespace hakuriver;
using namespace hakuriver::cli;
using hakuriver::test::ScratchDirectory;

TEST_CASE("a submission log tells what an earlier run has left open, and goes with the last that is done") {
  const ScratchDirectory scratch;
  const std::string joblog = scratch / "log";
  std::ofstream(joblog) << "Seq";
  {
    auto log = SubmissionLog::open(joblog, false);
    REQUIRE(log);
    CHECK(log->submitted("one", 7, {{0, 5}, {9, 1}}));
    CHECK(log->taken("one", "4711"));
    CHECK(log->ended("one", 2, 3));
    CHECK(log->submitted("two", 8, {{3, 1}}));
    CHECK(log->done("two"));
    CHECK(log->submitted("three", 9, {{4, 2}}));
  }
  auto log = SubmissionLog::open(joblog, true);
  REQUIRE(log);
  const auto earlier = log->take_earlier();
  CHECK(log->take_earlier().empty());
  REQUIRE(earlier.size() == 2);
  CHECK(earlier[0].id == "one");
  CHECK(earlier[0].digest == 7);
  CHECK(earlier[0].batch == "4711");
  CHECK(earlier[0].places == std::vector<PlaceRange>{{0, 5}, {9, 1}});
  CHECK(earlier[0].ended == std::vector<PlaceRange>{{2, 3}});
  CHECK(earlier[1].id == "three");
  CHECK(earlier[1].batch.empty());
  CHECK(log->done("one"));
  CHECK(::access((joblog + ".cluster").c_str(), F_OK) == 0);
  CHECK(log->done("three"));
  CHECK(::access((joblog + ".cluster").c_str(), F_OK) != 0);
}

TEST_CASE("a submission log that is cut off anywhere has what its whole lines say") {
  const std::string text =
      "submit a 1 0+3\ntaken a 55\nend a 0 2\nsubmit b 2 7+1 9+2\nend b 0 1\ndone b\nnonsense\nend a x 1\n\n";
  std::size_t most = 0;
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    const auto all = parse_submission_log(std::string_view(text).substr(0, cut));
    CHECK(all.size() >= most);
    most = all.size();
    for (const auto& submission : all) {
      CHECK(submission.places.size() == (submission.id == "a" ? 1 : 2));
      CHECK((submission.batch.empty() || submission.batch == "55"));
      CHECK(submission.ended.size() <= 1);
    }
  }
  CHECK(most == 2);
  CHECK(parse_submission_log(text)[1].is_done);
  for (const char* damaged : {"submit a\n", "submit a 1\n", "submit a x 0+1\n", "submit a 1 0\n", "submit a 1 0+0\n",
                              "submit a 1 0+1 y\n", "submit a 1 18446744073709551615+2\n", "end a 0 1\n"}) {
    CAPTURE(damaged);
    CHECK(parse_submission_log(damaged).empty());
  }
}

TEST_CASE("beside a joblog that is no file there is no submission log, and a new run begins a new one") {
  const ScratchDirectory scratch;
  auto none = SubmissionLog::open("/dev/null", true);
  REQUIRE(none);
  CHECK(none->submitted("a", 1, {{0, 1}}));
  CHECK(none->done("a"));
  const std::string joblog = scratch / "log";
  std::ofstream(joblog) << "Seq";
  std::ofstream(joblog + ".cluster") << "submit a 1 0+1\n";
  auto fresh = SubmissionLog::open(joblog, false);
  REQUIRE(fresh);
  CHECK(fresh->take_earlier().empty());
}
