// The life of a task as one table: every status answers every event. Nobody sets a status anywhere else.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "hakuriver/outcome.hpp"
#include "hakuriver/task.hpp"

namespace hakuriver {
inline namespace v1 {

enum class TaskEvent : std::uint8_t {
  ordered = 0,       // the order to a node is committed
  started = 1,       // the node confirms the start
  paused = 2,        // the node confirms
  resumed = 3,       // the node confirms
  exited_well = 4,   // exit code 0
  exited_badly = 5,  // another code, a signal, or an outcome that nobody can read
  out_of_memory = 6,
  kill_confirmed = 7,  // ended by request, and its tree is gone
  returned = 8,        // it is proved that this attempt never started
  node_silent = 9,
  node_forgotten = 10,  // the operator's word, or the machine restarted
  kill_waiting = 11,    // a kill of a task that no node holds
};
inline constexpr std::size_t kTaskEventCount = 12;

inline constexpr std::array<std::string_view, kTaskEventCount> kTaskEventNames{
    "ordered",       "started",        "paused",   "resumed",     "exited well",    "exited badly",
    "out of memory", "kill confirmed", "returned", "node silent", "node forgotten", "kill while waiting"};

enum class Verdict : std::uint8_t {
  move = 0,    // take the new status
  ignore = 1,  // a late or repeated report: nothing changes
  reject = 2,  // cannot happen by the protocol: a defect, reported and ignored
};

struct TaskCell {
  Verdict verdict = Verdict::reject;
  TaskStatus to = TaskStatus::pending;
};

namespace detail {

constexpr TaskCell to(TaskStatus status) noexcept { return {Verdict::move, status}; }
inline constexpr TaskCell kSame{Verdict::ignore, TaskStatus::pending};
inline constexpr TaskCell kNo{Verdict::reject, TaskStatus::pending};

// What a node that speaks says of a task it holds moves `assigning` and `lost` alike: a lost task is adopted.
constexpr std::array<TaskCell, kTaskEventCount> held_row() {
  using enum TaskStatus;
  return {kNo,         to(running), to(paused), to(running), to(completed), to(failed), to(killed_oom), to(killed),
          to(pending), to(lost),    to(failed), kNo};
}

constexpr std::array<std::array<TaskCell, kTaskEventCount>, kTaskStatusCount> make_task_table() {
  using enum TaskStatus;
  std::array<std::array<TaskCell, kTaskEventCount>, kTaskStatusCount> table{};
  // pending may already be ordered ahead to a node, which may start, end or return it without a further word.
  table[0] = {to(assigning),  to(running), to(paused), kSame,    to(completed), to(failed),
              to(killed_oom), to(killed),  kSame,      to(lost), to(failed),    to(killed)};
  table[1] = held_row();
  table[2] = {kNo,         kSame,    to(paused), kSame, to(completed), to(failed), to(killed_oom), to(killed),
              to(pending), to(lost), to(failed), kNo};
  table[3] = {kNo,         kSame,    kSame,      to(running), to(completed), to(failed), to(killed_oom), to(killed),
              to(pending), to(lost), to(failed), kNo};
  for (std::size_t status = 4; status <= 7; ++status) table[status].fill(kSame);
  table[8] = held_row();
  table[8][static_cast<std::size_t>(TaskEvent::node_silent)] = kSame;
  return table;
}

}  // namespace detail

inline constexpr auto kTaskTable = detail::make_task_table();

constexpr TaskCell next_status(TaskStatus status, TaskEvent event) noexcept {
  return kTaskTable[static_cast<std::size_t>(status)][static_cast<std::size_t>(event)];
}

// How the end of an attempt reads as an event. `by_request`: it was asked to end before it did.
constexpr TaskEvent event_of(const Outcome& outcome, bool by_request) noexcept {
  switch (outcome.kind) {
    case OutcomeKind::never_started:
      return by_request ? TaskEvent::kill_confirmed : TaskEvent::returned;
    case OutcomeKind::oom_killed:
      return TaskEvent::out_of_memory;
    case OutcomeKind::exited:
    case OutcomeKind::signaled:
    case OutcomeKind::unknown:
    case OutcomeKind::timed_out:
      break;
  }
  if (by_request) return TaskEvent::kill_confirmed;
  return outcome.kind == OutcomeKind::exited && outcome.value == 0 ? TaskEvent::exited_well : TaskEvent::exited_badly;
}

}  // namespace v1
}  // namespace hakuriver
