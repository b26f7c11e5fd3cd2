// Everything that the host knows and decides on: numbers, names and times. No text of a task is here.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "hakuriver/host/events.hpp"
#include "hakuriver/host/sorted_chunks.hpp"
#include "hakuriver/ids.hpp"
#include "hakuriver/messages.hpp"
#include "hakuriver/node.hpp"
#include "hakuriver/task.hpp"
#include "hakuriver/time.hpp"

namespace hakuriver {
inline namespace v1 {

// What may be chosen about the host's decisions.
struct HostPolicy {
  std::chrono::microseconds report_interval{5'000'000};  // what nodes are told; a silent node reports this often
  std::chrono::microseconds silence{30'000'000};         // a node silent for longer is lost
  std::chrono::microseconds poll_hold{50'000'000};       // an order poll is answered empty after this
  std::chrono::microseconds ahead_window{100'000};       // this much work is ordered ahead of free slots
  std::uint32_t ahead_limit = 4096;                      // tasks ordered ahead per node, at most
  std::uint32_t max_faults = 5;                          // after so many node faults a task fails
  std::chrono::microseconds keep_finished{30LL * 24 * 3600 * 1'000'000};
  std::optional<std::chrono::microseconds> forget_after;  // off: a silent node is never forgotten by itself
};

using NodeIndex = std::uint32_t;  // into HostState::nodes
inline constexpr NodeIndex kNoNode = 0xffffffff;
using ShapeIndex = std::uint32_t;  // into HostState::shapes
inline constexpr ShapeIndex kNoShape = 0xffffffff;

enum class Presence : std::uint8_t {
  expected = 0,  // known from before this host's start, not heard of yet; counts as online until its deadline
  online = 1,
  leaving = 2,  // said goodbye; its tasks go on, and it may be back soon
  silent = 3,   // past its deadline: its tasks are lost
  gone = 4,     // forgotten by the operator
};

struct NodeUse {
  Resources reserved{0, 0};
  std::uint32_t tasks = 0;
  bool operator==(const NodeUse&) const = default;
};

struct NodeState {
  std::string name;
  std::string runner_id;
  NodeFacts facts;
  std::optional<NodeHealth> health;
  UtcTime last_heard;
  Presence presence = Presence::expected;
  bool drained = false;
  MonotonicTime deadline;    // of silence
  MonotonicTime held_until;  // a fault of the node keeps new tasks away until then
  std::uint32_t faults_in_row = 0;

  std::uint64_t challenge = 0;    // 0: none is out
  bool registered = false;        // in this epoch; the next fields count only then
  bool holds_unlisted = false;    // lost attempts that hold places here, of which its agent cannot know
  std::vector<Session> sessions;  // every one that a live task was ordered in; the last is the present one
  RunId run;
  std::uint64_t confirmed = 0;      // records of the session
  std::uint64_t events_seen = 0;    // events of the run
  std::uint64_t next_sequence = 1;  // of orders
  std::uint64_t sent = 0;           // orders up to here were in an answer, so they may not change any more
  std::deque<Order> outbox;         // not known to have arrived, by sequence
  ReplyToken poll;                  // who waits for orders
  MonotonicTime poll_since;

  NodeUse use;                                // of tasks that hold a place
  std::map<std::uint32_t, NodeUse> numa_use;  // by NUMA node, of tasks that are bound to one
  std::deque<TaskId> ahead;                   // ordered ahead of a place, oldest first; those that left it are skipped
  std::uint32_t ahead_count = 0;
  MonotonicTime last_start;          // of anything here, to see when what is ahead is stuck
  std::uint64_t ends_in_window = 0;  // for the rate of ends
  MonotonicTime window_start;
  double ends_per_second = 0;
};

// A task that was ordered to a node and is not final.
struct LiveTask {
  BatchId batch;
  Attempt attempt;
  TaskStatus status = TaskStatus::pending;
  NodeIndex node = kNoNode;  // kNoNode: lost, and nobody knows where (after a restored database)
  ShapeIndex shape = 0;
  std::uint32_t session = 0;  // into NodeState::sessions: where its order counts
  std::uint32_t faults = 0;
  bool reserved = false;  // holds its place
  bool kill_requested = false;
  bool pause_requested = false;
  bool withdrawing = false;
  bool ends_if_returned = false;  // was asked to end as long as it has not started
  UtcTime started_at;
};

// What a waiting task remembers of orders that came to nothing.
struct PendingMark {
  Attempt attempt{1};
  std::uint32_t faults = 0;
  std::string reason;
};

// The shapes of a batch: one for all of its tasks, or one per task; none once all are final.
class ShapeList {
 public:
  std::size_t size() const noexcept { return many_ ? many_->size() : one_ == kNoShape ? 0 : 1; }
  const ShapeIndex* begin() const noexcept { return many_ ? many_->data() : &one_; }
  const ShapeIndex* end() const noexcept { return begin() + size(); }
  ShapeIndex operator[](std::uint64_t index) const noexcept { return begin()[index]; }
  void push_back(ShapeIndex shape) {
    if (!many_ && one_ != kNoShape) many_ = std::make_unique<std::vector<ShapeIndex>>(1, one_);
    if (many_) {
      many_->push_back(shape);
    } else {
      one_ = shape;
    }
  }

 private:
  ShapeIndex one_ = kNoShape;
  std::unique_ptr<std::vector<ShapeIndex>> many_;  // then `one_` does not count
};

// Most batches of a host that is full have one task: that is where its memory goes.
struct Batch {
  BatchId id;
  std::uint64_t count = 0;
  std::uint64_t content_digest = 0;
  std::string submission_id{};
  std::uint64_t max_running = 0;  // 0: no limit
  UtcTime submitted_at{};
  UtcTime finished_at{};  // of its last task; zero while any is unfinished
  ShapeList shapes{};
  std::vector<TaskStatus> statuses{};  // by index; those beyond its end are pending. None of a batch of one task
  std::array<std::uint32_t, kTaskStatusCount> by_status{};
  std::vector<FailedTarget> failed_targets{};
};
static_assert(kMaxBatchTasks <= 0xffffffff, "the tasks of a batch are counted in 32 bits");

// Tasks first, ..., first + count - 1.
struct TaskRange {
  TaskId first;
  std::uint64_t count = 0;
  bool operator==(const TaskRange&) const = default;
};

// Tasks that wait, of one shape: ranges by first id. Ranges do not overlap.
using PendingRanges = SortedChunks<TaskRange, &TaskRange::first>;

// Finds batches by their submission ids, whose text the batches have.
struct SubmissionEntry {
  struct Key {
    std::size_t hash = 0;
    BatchId batch;
    auto operator<=>(const Key&) const = default;
  };
  Key key;
};
using SubmissionIndex = SortedChunks<SubmissionEntry, &SubmissionEntry::key>;

struct HostState {
  HostPolicy policy;
  std::string cluster_id;
  Epoch epoch;
  bool superseded = false;  // a node has proved that this host's memory is an old copy: nothing is ordered
  std::uint64_t last_id = 0;
  std::uint64_t last_challenge = 0;
  MonotonicTime last_tick;

  SortedChunks<Batch, &Batch::id> batches;
  SubmissionIndex submissions;
  std::deque<std::pair<UtcTime, BatchId>> finished;  // for retention, by the time they finished

  std::vector<Requirements> shapes;
  std::vector<std::uint64_t> shape_users;  // by shape: how often unfinished batches name it; 0: it is free
  std::vector<ShapeIndex> free_shapes;
  std::map<Requirements, ShapeIndex> shape_index;  // of those in use
  std::vector<PendingRanges> pending;              // by shape
  std::map<TaskId, ShapeIndex> heads;              // the first waiting task of each shape that has one
  std::unordered_map<TaskId, PendingMark> marks;

  std::unordered_map<TaskId, LiveTask> live;
  std::vector<NodeState> nodes;
  std::unordered_map<std::string, NodeIndex> node_index;
};

}  // namespace v1
}  // namespace hakuriver
