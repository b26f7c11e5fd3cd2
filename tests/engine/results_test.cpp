// Folders of results.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "engine/plans.hpp"
#include "hakuriver/run_sweep.hpp"
#include "support/scratch_directory.hpp"

using namespace hakuriver;
using hakuriver::test::CommandList;
using hakuriver::test::contents_of;
using hakuriver::test::NamedScript;
using hakuriver::test::ScratchDirectory;

namespace {

RunOptions with_results(const std::string& directory, bool capture) {
  RunOptions options;
  options.results = directory;
  options.capture = capture;
  options.jobs = 2;
  return options;
}

std::size_t count_folders(const std::string& directory) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(directory)) ++count;
  return count;
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("each command has a folder with its outputs, its parameters and its outcome") {
  for (const bool capture : {false, true}) {
    CAPTURE(capture);
    const ScratchDirectory scratch;
    std::string told;
    RunEvents events;
    events.output = [&told](const RunOutput& output) { told += output.bytes; };
    const auto options = with_results(scratch / "a/b", capture);
    const auto summary = run_sweep(NamedScript("echo out $1; echo err $1 >&2; exit $1", 2), options, events);
    REQUIRE(summary);
    for (const std::string i : {"0", "1"}) {
      const std::string folder = scratch / ("a/b/n=" + i);
      CHECK(contents_of(folder + "/stdout") == "out " + i + "\n");
      CHECK(contents_of(folder + "/stderr") == "err " + i + "\n");
      CHECK(contains(contents_of(folder + "/params.json"), "\"parameters\": {\"n\": " + i + "}"));
      CHECK(contains(contents_of(folder + "/outcome.json"), "\"exit_code\": " + i));
      CHECK_FALSE(std::filesystem::exists(folder + "/outcome.json.part"));
    }
    CHECK(told.empty() != capture);
  }
}

TEST_CASE("there is no outcome as long as a command runs, also where one was before") {
  const ScratchDirectory scratch;
  const std::string outcome = scratch / "n=0/outcome.json";
  const auto options = with_results(scratch.path(), false);
  REQUIRE(run_sweep(NamedScript("echo much more than later", 1), options));
  CHECK(std::filesystem::exists(outcome));
  bool there = true;
  RunEvents events;
  events.started = [&](const RunStart&) { there = std::filesystem::exists(outcome); };
  REQUIRE(run_sweep(NamedScript("echo again", 1), options, events));
  CHECK_FALSE(there);
  CHECK(std::filesystem::exists(outcome));
  CHECK(contents_of(scratch / "n=0/stdout") == "again\n");
  CHECK(count_folders(scratch.path()) == 1);
}

TEST_CASE("commands with the same name have folders of their own, and keep them in later runs") {
  const ScratchDirectory scratch;
  std::vector<Command> commands;
  for (const std::string word : {"a", "b", "c"}) {
    Command command;
    command.argv = {"echo", word};
    command.name = word == "c" ? "other" : "same";
    commands.push_back(command);
  }
  for (int round = 0; round < 2; ++round) {
    REQUIRE(run_sweep(CommandList(commands), with_results(scratch.path(), false)));
    CHECK(contents_of(scratch / "same/stdout") == "a\n");
    CHECK(contents_of(scratch / "same~2/stdout") == "b\n");
    CHECK(count_folders(scratch.path()) == 3);
  }
  // In another plan the name belongs to one command only, which takes the folder.
  commands.erase(commands.begin());
  REQUIRE(run_sweep(CommandList(commands), with_results(scratch.path(), false)));
  CHECK(contents_of(scratch / "same/stdout") == "b\n");
}

TEST_CASE("a command that cannot start has an outcome that says why") {
  const ScratchDirectory scratch;
  Command command;
  command.argv = {"/no/such/program"};
  REQUIRE(run_sweep(CommandList({command}), with_results(scratch.path(), true)));
  const auto outcome = contents_of(scratch / "1/outcome.json");
  CHECK(contains(outcome, "\"exit_code\": 127"));
  CHECK(contains(outcome, "no such file"));
}

TEST_CASE("a directory that cannot be written stops the run with its name") {
  const ScratchDirectory scratch;
  scratch.write("file", "");
  for (const std::string path : {"file", "file/below"}) {
    const auto result = run_sweep(NamedScript("true", 1), with_results(scratch / path, false));
    REQUIRE_FALSE(result);
    CHECK(contains(result.error().message, scratch / "file"));
  }
}
