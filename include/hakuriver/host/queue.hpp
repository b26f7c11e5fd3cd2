// The tasks that wait, by shape: tasks with the same requirements wait in one queue, as ranges of ids.
//
// A million waiting tasks of one batch are one range; adding and taking cost no more for them than for one.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "hakuriver/host/state.hpp"

namespace hakuriver {
inline namespace v1 {

// One turn of the host: the state it may change, the time it knows, and where its decisions go.
struct HostTurn {
  HostState& state;
  Now now;
  Decisions& out;
};

inline TaskId advance(TaskId task, std::uint64_t by) noexcept { return TaskId{task.value + by}; }

// The shape of these requirements, for one more that uses it. A host that runs for months meets ever new ones: whoever
// takes one drops it when its batch is over, and what nobody uses is taken for the next new one.
inline ShapeIndex take_shape(HostState& state, const Requirements& requirements) {
  const auto next = state.free_shapes.empty() ? static_cast<ShapeIndex>(state.shapes.size()) : state.free_shapes.back();
  const auto [entry, is_new] = state.shape_index.try_emplace(requirements, next);
  if (is_new && next == state.shapes.size()) {
    state.shapes.push_back(requirements);
    state.shape_users.push_back(0);
    state.pending.emplace_back();
  } else if (is_new) {
    state.free_shapes.pop_back();
    state.shapes[next] = requirements;
  }
  ++state.shape_users[entry->second];
  return entry->second;
}

// Of a batch without any task that waits or is live.
inline void drop_shapes(HostState& state, Batch& batch) {
  for (const ShapeIndex shape : std::exchange(batch.shapes, {})) {
    if (--state.shape_users[shape] > 0) continue;
    state.shape_index.erase(state.shapes[shape]);
    state.shapes[shape] = {};
    state.free_shapes.push_back(shape);
  }
}

namespace detail {

// Keeps HostState::heads right while a queue changes.
class HeadWatch {
 public:
  HeadWatch(HostState& state, ShapeIndex shape) : state_(state), shape_(shape), before_(head()) {}
  ~HeadWatch() {
    const TaskId now = head();
    if (now == before_) return;
    if (before_.value != 0) state_.heads.erase(before_);
    if (now.value != 0) state_.heads.emplace(now, shape_);
  }
  HeadWatch(const HeadWatch&) = delete;
  HeadWatch& operator=(const HeadWatch&) = delete;

 private:
  TaskId head() const {
    const auto& ranges = state_.pending[shape_];
    return ranges.empty() ? TaskId{} : ranges.begin()->first;
  }

  HostState& state_;
  const ShapeIndex shape_;
  const TaskId before_;  // zero: the queue was empty
};

}  // namespace detail

// The range must not be in the queue yet. Neighbours become one range.
inline void enqueue(HostState& state, ShapeIndex shape, TaskRange range) {
  if (range.count == 0) return;
  const detail::HeadWatch watch(state, shape);
  auto& ranges = state.pending[shape];
  auto next = ranges.lower_bound(range.first);
  if (next != ranges.end() && next->first == advance(range.first, range.count)) {
    range.count += next->count;
    next = ranges.erase(next);
  }
  if (next != ranges.begin()) {
    TaskRange& before = *std::prev(next);
    if (advance(before.first, before.count) == range.first) {
      before.count += range.count;
      return;
    }
  }
  ranges.insert(range);
}

// Takes up to `most` tasks from the oldest range. The queue must not be empty.
inline TaskRange dequeue(HostState& state, ShapeIndex shape, std::uint64_t most) {
  const detail::HeadWatch watch(state, shape);
  auto& ranges = state.pending[shape];
  const auto oldest = ranges.begin();
  const TaskRange taken{oldest->first, std::min(oldest->count, most)};
  if (taken.count == oldest->count) {
    ranges.erase(oldest);
  } else {
    *oldest = {advance(taken.first, taken.count), oldest->count - taken.count};
  }
  return taken;
}

// Takes whatever of `range` waits. The answer lists what was taken, by id.
inline std::vector<TaskRange> take_waiting(HostState& state, ShapeIndex shape, TaskRange range) {
  std::vector<TaskRange> taken;
  const detail::HeadWatch watch(state, shape);
  auto& ranges = state.pending[shape];
  const TaskId end = advance(range.first, range.count);
  auto at = ranges.upper_bound(range.first);
  if (at != ranges.begin()) --at;
  while (at != ranges.end() && at->first < end) {
    const TaskRange whole = *at;
    const TaskId whole_end = advance(whole.first, whole.count);
    const TaskId from = std::max(whole.first, range.first);
    const TaskId to = std::min(whole_end, end);
    if (!(from < to)) {
      ++at;
      continue;
    }
    ranges.erase(at);
    if (whole.first < from) ranges.insert({whole.first, from.value - whole.first.value});
    if (to < whole_end) ranges.insert({to, whole_end.value - to.value});
    taken.push_back({from, to.value - from.value});
    at = ranges.lower_bound(to);
  }
  return taken;
}

inline bool is_waiting(const HostState& state, ShapeIndex shape, TaskId task) {
  const auto& ranges = state.pending[shape];
  const auto after = ranges.upper_bound(task);
  if (after == ranges.begin()) return false;
  const auto range = std::prev(after);
  return task.value - range->first.value < range->count;
}

}  // namespace v1
}  // namespace hakuriver
