#include <doctest/doctest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "hakuriver/task_state.hpp"

namespace hakuriver::test {

namespace {

// One row of the README's table: every move out of a status, in the order of the events.
std::string row_of(TaskStatus from) {
  std::string moves;
  for (std::size_t i = 0; i < kTaskEventCount; ++i) {
    const TaskCell cell = next_status(from, static_cast<TaskEvent>(i));
    if (cell.verdict != Verdict::move) continue;
    if (!moves.empty()) moves += "; ";
    moves += std::string(to_string(cell.to)) + ": " + std::string(kTaskEventNames[i]);
  }
  return "| " + std::string(to_string(from)) + " | " + moves + " |";
}

}  // namespace

TEST_CASE("the README shows the state table as it is") {
  std::ifstream file(HAKURIVER_SOURCE_DIR "/README.md");
  std::stringstream readme;
  readme << file.rdbuf();
  REQUIRE(!readme.str().empty());
  for (const TaskStatus from :
       {TaskStatus::pending, TaskStatus::assigning, TaskStatus::running, TaskStatus::paused, TaskStatus::lost}) {
    const std::string row = row_of(from);
    CAPTURE(row);
    CHECK(readme.str().find("\n" + row + "\n") != std::string::npos);
  }
}

}  // namespace hakuriver::test
