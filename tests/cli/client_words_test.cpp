#include "cli/client_words.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>

#include "cli/client_pages.hpp"
#include "hakuriver/resources.hpp"

namespace hakuriver::cli {
namespace {

TaskView task_that(TaskStatus status, std::optional<Outcome> outcome) {
  TaskView task;
  task.id = TaskId{7};
  task.status = status;
  task.outcome = outcome;
  TaskSpec spec;
  spec.argv = {"echo", "a b"};
  task.spec = std::make_shared<TaskSpec>(std::move(spec));
  return task;
}

TEST_CASE("a task's exit status is what a shell would show, and never 0 unless it completed") {
  using enum TaskStatus;
  struct Row {
    TaskStatus status;
    std::optional<Outcome> outcome;
    int exit;
  };
  for (const auto& row :
       {Row{completed, Outcome{OutcomeKind::exited, 0}, 0}, Row{failed, Outcome{OutcomeKind::exited, 3}, 3},
        Row{failed, Outcome{OutcomeKind::exited, 255}, 255}, Row{failed, Outcome{OutcomeKind::signaled, 11}, 139},
        Row{killed, Outcome{OutcomeKind::signaled, 9}, 137}, Row{killed, Outcome{OutcomeKind::exited, 0}, 1},
        Row{killed, std::nullopt, 1}, Row{killed_oom, Outcome{OutcomeKind::oom_killed, 9}, 137},
        Row{failed, Outcome{OutcomeKind::unknown, 0}, 1}, Row{failed, Outcome{OutcomeKind::never_started, 28}, 1}}) {
    CAPTURE(to_string(row.status));
    CHECK(exit_of_task(task_that(row.status, row.outcome)) == row.exit);
  }
}

TEST_CASE("how a task ended is told in words, the host's before ours") {
  auto task = task_that(TaskStatus::failed, Outcome{OutcomeKind::exited, 127});
  task.message = "'nosuch': no such command on this node";
  CHECK(words_of(task) == "failed: 'nosuch': no such command on this node");
  auto waiting = task_that(TaskStatus::killed, Outcome{OutcomeKind::never_started, 0});
  waiting.message = "killed before it started";
  CHECK(words_of(waiting) == "killed before it started");
  CHECK(words_of(task_that(TaskStatus::killed, Outcome{OutcomeKind::signaled, 9})) == "killed: signal 9 (Killed)");
  CHECK(words_of(task_that(TaskStatus::completed, Outcome{OutcomeKind::exited, 0})) == "completed");
}

TEST_CASE("sizes, cores and durations are short") {
  CHECK(short_bytes(0) == "0");
  CHECK(short_bytes(1023) == "1023");
  CHECK(short_bytes(1536) == "1.5K");
  CHECK(short_bytes(std::uint64_t{8} << 30) == "8G");
  CHECK(short_bytes((std::uint64_t{8} << 30) + (1 << 29)) == "8.5G");
  CHECK(short_bytes(~std::uint64_t{0}) == "16E");
  CHECK(short_cores(1000) == "1");
  CHECK(short_cores(500) == "0.5");
  CHECK(short_cores(0) == "0");
  CHECK(short_cores(10000) == "10");
  using std::chrono::microseconds;
  CHECK(short_duration(microseconds{-5}) == "0.0s");
  CHECK(short_duration(microseconds{240'000}) == "0.2s");
  CHECK(short_duration(microseconds{200'000'000}) == "3m20s");
  CHECK(short_duration(microseconds{3'600'000'000}) == "1h");
  CHECK(short_duration(microseconds{std::int64_t{90'000'000'000}}) == "1d1h");
  CHECK(words_of(UtcTime{}) == "-");
  CHECK(words_of(UtcTime{1'745'000'000'123'456}) == "2025-04-18 18:13:20 UTC");
}

TEST_CASE("a size in an error reads as people write it, and nearly as it is") {
  struct Row {
    std::uint64_t bytes;
    const char* text;
  };
  for (const auto& row :
       {Row{0, "0"}, Row{1023, "1023"}, Row{1024, "1K"}, Row{1536, "1.5K"}, Row{8'000'000'000, "7.45G"},
        Row{std::uint64_t{100} << 40, "100T"}, Row{kMaxMemoryBytes, "1048576T"}}) {
    CHECK(to_memory_text(row.bytes) == row.text);
  }
  CHECK(*parse_memory(to_memory_text(std::uint64_t{3} << 29)) == std::uint64_t{3} << 29);
}

TEST_CASE("NUMA nodes are summed up in a few words") {
  CHECK(summary_of({{0, {0, 1}, 0}, {1, {2, 3}, 0}}) == "2 (0: 2 cores, 1: 2 cores)");
  CHECK(summary_of({{0, {0}, 0}}) == "1 (0: 1 core)");
  CHECK(summary_of({}) == "-");
}

TEST_CASE("a table of tasks has their names only where there are some, and no line over 80 columns") {
  auto task = task_that(TaskStatus::failed, Outcome{OutcomeKind::exited, 3});
  task.id = TaskId{7319847234987230000};
  task.node = "a-node-with-a-very-long-name.example.org";
  task.target = Target{task.node, 1};
  std::string table = table_of({task}, {80, false});
  CHECK(table.find("NAME") == std::string::npos);
  CHECK(table.find("failed 3") != std::string::npos);
  auto named = std::make_shared<TaskSpec>(*task.spec);
  named->name = "train-1";
  named->argv = {"python", "train.py", std::string(500, 'x')};
  task.spec = named;
  table = table_of({task}, {80, false});
  CHECK(table.find("train-1") != std::string::npos);
  for (std::size_t at = 0; at < table.size();) {
    const auto end = table.find('\n', at);
    CHECK(width_of(std::string_view(table).substr(at, end - at)) <= 80);
    at = end + 1;
  }
}

TEST_CASE("a task's page says what its node does not enforce") {
  auto task = task_that(TaskStatus::running, std::nullopt);
  task.node = "node1";
  task.enforced = {"numa"};
  auto limited = std::make_shared<TaskSpec>(*task.spec);
  limited->resources.memory_bytes = 1 << 20;
  task.spec = limited;
  task.target = Target{"node1", 0};
  std::string page = page_of(task);
  CHECK(page.find("Limits:      enforced: NUMA node; not enforced by this node: cores, memory\n") != std::string::npos);
  CHECK(page.find("node1, bound to NUMA node 0\n") != std::string::npos);
  task.enforced.clear();
  page = page_of(task);
  CHECK(page.find("not enforced by this node: cores, memory, NUMA node\n") != std::string::npos);
  CHECK(page.find("bound to") == std::string::npos);
  CHECK(page.find("node1:0\n") != std::string::npos);
  page = page_of(task);
  CHECK(page.find("echo 'a b'") != std::string::npos);
}

}  // namespace
}  // namespace hakuriver::cli
