#include "hakuriver/task_state.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace hakuriver;

namespace {

constexpr auto kAllStatuses = [] {
  std::array<TaskStatus, kTaskStatusCount> all{};
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<TaskStatus>(i);
  return all;
}();

constexpr auto kAllEvents = [] {
  std::array<TaskEvent, kTaskEventCount> all{};
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<TaskEvent>(i);
  return all;
}();

// One letter per event: the first letter of the new status (o: killed_oom), '=' for ignore, '!' for reject.
std::string row(TaskStatus status) {
  constexpr std::string_view kLetters =
      "parPcfkol";  // pending assigning running Paused completed failed killed oom lost
  std::string text;
  for (const TaskEvent event : kAllEvents) {
    const TaskCell cell = next_status(status, event);
    text += cell.verdict == Verdict::move     ? kLetters[static_cast<std::size_t>(cell.to)]
            : cell.verdict == Verdict::ignore ? '='
                                              : '!';
  }
  return text;
}

}  // namespace

TEST_CASE("every status answers every event as the table in the documentation says") {
  // ordered started paused resumed well badly oom killed returned silent forgotten kill-while-waiting
  CHECK(row(TaskStatus::pending) == "arP=cfok=lfk");
  CHECK(row(TaskStatus::assigning) == "!rPrcfokplf!");
  CHECK(row(TaskStatus::running) == "!=P=cfokplf!");
  CHECK(row(TaskStatus::paused) == "!==rcfokplf!");
  CHECK(row(TaskStatus::lost) == "!rPrcfokp=f!");
}

TEST_CASE("a final status never changes") {
  for (const TaskStatus status : kAllStatuses) {
    if (!is_final(status)) continue;
    CAPTURE(to_string(status));
    for (const TaskEvent event : kAllEvents) CHECK(next_status(status, event).verdict == Verdict::ignore);
  }
}

TEST_CASE("an event that has moved a task does not move it again") {
  for (const TaskStatus status : kAllStatuses) {
    for (const TaskEvent event : kAllEvents) {
      const TaskCell cell = next_status(status, event);
      if (cell.verdict != Verdict::move) continue;
      CAPTURE(to_string(status));
      CAPTURE(kTaskEventNames[static_cast<std::size_t>(event)]);
      const TaskCell again = next_status(cell.to, event);
      CHECK((again.verdict != Verdict::move || again.to == cell.to));
    }
  }
}

TEST_CASE("the name of every status reads back as that status") {
  for (const TaskStatus status : kAllStatuses) CHECK(parse_task_status(to_string(status)) == status);
  for (const auto* text : {"", "Pending", "running ", "unknown", "killed-oom"}) {
    CAPTURE(text);
    CHECK(!parse_task_status(text));
  }
}

TEST_CASE("how an attempt ended reads as an event") {
  struct Row {
    Outcome outcome;
    bool by_request;
    TaskEvent event;
  };
  using enum OutcomeKind;
  const std::vector<Row> rows{
      {{exited, 0}, false, TaskEvent::exited_well},          {{exited, 1}, false, TaskEvent::exited_badly},
      {{exited, 255}, false, TaskEvent::exited_badly},       {{exited, 0}, true, TaskEvent::kill_confirmed},
      {{exited, 3}, true, TaskEvent::kill_confirmed},        {{signaled, 15}, true, TaskEvent::kill_confirmed},
      {{signaled, 11}, false, TaskEvent::exited_badly},      {{oom_killed, 9}, false, TaskEvent::out_of_memory},
      {{oom_killed, 9}, true, TaskEvent::out_of_memory},     {{never_started, 28}, false, TaskEvent::returned},
      {{never_started, 0}, true, TaskEvent::kill_confirmed}, {{unknown, 0}, false, TaskEvent::exited_badly},
      {{unknown, 0}, true, TaskEvent::kill_confirmed},
  };
  for (const auto& each : rows) {
    CAPTURE(static_cast<int>(each.outcome.kind));
    CAPTURE(each.outcome.value);
    CAPTURE(each.by_request);
    CHECK(event_of(each.outcome, each.by_request) == each.event);
  }
}
