#include "cli/cluster_lines.hpp"

#include <doctest/doctest.h>
#include <signal.h>

#include <random>
#include <string>
#include <variant>

using namespace hakuriver;
using namespace hakuriver::cli;

TEST_CASE("the lines that tell of a batch are read") {
  const auto batch = parse_cluster_line("batch 41 10", 10);
  REQUIRE(batch);
  CHECK(std::get<BatchLine>(*batch).id == "41");

  const auto output = parse_cluster_line("output 9 stderr 65536", 10);
  REQUIRE(output);
  CHECK(std::get<OutputLine>(*output).task == 9);
  CHECK(std::get<OutputLine>(*output).stream == OutputStream::err);
  CHECK(std::get<OutputLine>(*output).bytes == 65536);

  const auto end = parse_cluster_line("end 3 1 2 failed 0 7 1000000 1500000 42 4096 5 6 exited with 7", 10);
  REQUIRE(end);
  const auto& line = std::get<EndLine>(*end);
  CHECK(line.first == 3);
  CHECK(line.count == 1);
  CHECK(line.end.outcome == Outcome{OutcomeKind::exited, 7});
  CHECK(line.end.started_at.microseconds == 1'000'000);
  CHECK(line.end.elapsed.count() == 500'000);
  CHECK(line.end.usage == Usage{42, 4096});
  CHECK(line.end.message.empty());
}

TEST_CASE("what was killed before it started counts as ended by a signal, what could not start says why") {
  const auto killed = parse_cluster_line("end 0 10 1 killed 3 0 0 1500000 0 0 0 0 killed before it started", 10);
  REQUIRE(killed);
  CHECK(std::get<EndLine>(*killed).count == 10);
  CHECK(std::get<EndLine>(*killed).end.outcome == Outcome{OutcomeKind::signaled, SIGTERM});
  const auto failed = parse_cluster_line("end 0 1 1 failed 3 28 0 1500000 0 0 0 0 no space left", 10);
  REQUIRE(failed);
  CHECK(std::get<EndLine>(*failed).end.message == "no space left");
  const auto missing = parse_cluster_line("end 0 1 1 failed 0 127 1 2 0 0 0 0 'x': command not found on PATH", 10);
  REQUIRE(missing);
  CHECK(std::get<EndLine>(*missing).end.message == "exit 127, 'x': command not found on PATH");
  const auto own = parse_cluster_line("end 0 1 1 failed 0 127 1 2 0 0 0 0 exited with 127", 10);
  REQUIRE(own);
  CHECK(std::get<EndLine>(*own).end.message.empty());
  CHECK(std::get<EndLine>(*failed).end.elapsed.count() == 0);
}

TEST_CASE("what reached its time limit is told as one that a run ended itself") {
  const auto limit =
      parse_cluster_line("end 0 1 1 failed 5 0 1000000 3000000 0 0 0 0 the time limit of 2s was reached", 10);
  REQUIRE(limit);
  const AttemptEnd& end = std::get<EndLine>(*limit).end;
  CHECK(end.timed_out);
  CHECK(end.outcome == Outcome{OutcomeKind::signaled, SIGTERM});
  CHECK(end.elapsed.count() == 2'000'000);
  CHECK(end.message.empty());
}

TEST_CASE("lines that cannot be are refused in one line") {
  for (const std::string line :
       {"", "batch", "batch  ", "output 10 stdout 1", "output 1 stdin 1", "output 1 stdout", "output x stdout 1",
        "end 3 8 1 failed 0 7 1 1 1 1 1 1 x", "end 10 1 1 failed 0 7 1 1 1 1 1 1 x", "end 1 1 1 failed 9 7 1 1 1 1 1 1",
        "end 1 1 1 failed 0 7 1 1 1 1 1", "done", "end 1 1 1 failed 0 7 1 1 1 1 1 -1 x"}) {
    CAPTURE(line);
    const auto parsed = parse_cluster_line(line, 10);
    REQUIRE(!parsed);
    CHECK(parsed.error().message ==
          "hakuriver.client wrote '" + line + "', which is no line of a batch: are both programs of one release?");
  }
}

TEST_CASE("damaged lines never name a task outside of the batch") {
  std::mt19937 random(20260102);
  const std::string good = "end 3 1 2 failed 0 7 1000000 1500000 42 4096 5 6 exited with 7";
  for (int round = 0; round < 5000; ++round) {
    std::string line = good;
    for (int changes = 0; changes < 2; ++changes) line[random() % line.size()] = static_cast<char>(random() % 128);
    const auto parsed = parse_cluster_line(line, 10);
    const auto* end = parsed ? std::get_if<EndLine>(&*parsed) : nullptr;
    if (end != nullptr) CHECK((end->first < 10 && end->count <= 10 - end->first));
  }
}
