// The port to what lasts: what the host writes before it acts, and reads back when it starts.
//
// One commit holds everything that one turn of the host decided. Writing costs at most one small row per task, when
// it ends; what was ordered to which node is one row per range.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "hakuriver/ids.hpp"
#include "hakuriver/keeper.hpp"
#include "hakuriver/messages.hpp"
#include "hakuriver/node.hpp"
#include "hakuriver/outcome.hpp"
#include "hakuriver/result.hpp"
#include "hakuriver/task.hpp"
#include "hakuriver/time.hpp"

namespace hakuriver {
inline namespace v1 {

// A target of a submission that was refused while others were accepted.
struct FailedTarget {
  std::string target;
  std::string reason;
  bool operator==(const FailedTarget&) const = default;
};

struct BatchRecord {
  BatchId id;
  std::uint64_t count = 0;           // its tasks are task_of(id, 0) .. task_of(id, count - 1)
  std::string submission_id;         // the client's; empty: none. Unique where not empty
  std::uint64_t content_digest = 0;  // of the submission, so that a repeated id with other content is seen
  UtcTime submitted_at;
  std::vector<Target> targets;  // empty: any node; one: the same for all; else one per task, or shared (task.hpp)
  std::vector<FailedTarget> failed_targets;
  std::shared_ptr<const TaskSpec> spec;
};

// Of its index-th task; none: any node, or any of several.
inline std::optional<Target> target_of(const BatchRecord& batch, std::uint64_t index) {
  if (batch.targets.size() == 1) return batch.targets[0];
  if (shares_targets(*batch.spec) || index >= batch.targets.size()) return std::nullopt;
  return batch.targets[static_cast<std::size_t>(index)];
}

// Tasks first .. first + count - 1 were ordered to a node as this attempt.
struct OrderRecord {
  BatchId batch;
  TaskId first;
  std::uint64_t count = 1;
  Attempt attempt;
  std::string node;
  Session session;
  RunId run;
  bool operator==(const OrderRecord&) const = default;
};

// Tasks that were ordered wait again: it is proved that the attempt never started. The next order uses `attempt`.
struct ReturnRecord {
  BatchId batch;
  TaskId first;
  std::uint64_t count = 1;
  Attempt attempt;
  std::uint32_t faults = 0;  // how often a node's fault sent it back
  std::string reason;
  bool operator==(const ReturnRecord&) const = default;
};

// Final. A range (count > 1) ends alike and without having started: a batch killed while it waited.
struct EndRecord {
  BatchId batch;
  TaskId first;
  std::uint64_t count = 1;
  Attempt attempt;
  TaskStatus status = TaskStatus::failed;
  Outcome outcome;
  std::string node;  // empty: it never had one
  std::optional<std::uint32_t> numa_node;
  UtcTime started_at;  // zero: it never started
  UtcTime ended_at;
  Usage usage;
  std::uint64_t stdout_bytes = 0;
  std::uint64_t stderr_bytes = 0;
  std::string message;
  bool operator==(const EndRecord&) const = default;
};

// A kill was asked for and is not yet confirmed.
struct KillRecord {
  TaskId task;
  bool operator==(const KillRecord&) const = default;
};

struct NodeRecord {
  std::string name;
  std::string runner_id;
  Session session;
  RunId run;
  std::uint64_t confirmed = 0;  // the session's records up to here are committed
  bool drained = false;
  NodeFacts facts;
  bool operator==(const NodeRecord&) const = default;
};

// The node's records up to here are committed; written with the ends that it covers.
struct ConfirmRecord {
  std::string node;
  std::uint64_t confirmed = 0;
  bool operator==(const ConfirmRecord&) const = default;
};

struct ForgetNodeRecord {
  std::string node;
  bool operator==(const ForgetNodeRecord&) const = default;
};

// A batch whose tasks are all final leaves the store, with everything about it.
struct PurgeRecord {
  BatchId batch;
  bool operator==(const PurgeRecord&) const = default;
};

using StoreRecord = std::variant<BatchRecord, OrderRecord, ReturnRecord, EndRecord, KillRecord, NodeRecord,
                                 ConfirmRecord, ForgetNodeRecord, PurgeRecord>;

// What the host needs to know of the past to decide on: numbers only. In the order of writing where that matters.
struct StoredBatch {
  BatchId id;
  std::uint64_t count = 0;
  std::string submission_id;
  std::uint64_t content_digest = 0;
  UtcTime submitted_at;
  std::vector<Target> targets;
  Requirements requirements;  // without its targets
  std::vector<FailedTarget> failed_targets;
  bool shares_targets = false;
  std::uint64_t max_running = 0;
};

struct StoredEnd {
  TaskId first;
  std::uint64_t count = 1;
  TaskStatus status = TaskStatus::failed;
};

struct StoredState {
  std::string cluster_id;
  Epoch epoch;                                                       // already raised for this start, and committed
  std::uint64_t last_id = 0;                                         // the highest id ever given
  std::vector<StoredBatch> batches;                                  // by id
  std::vector<std::variant<OrderRecord, ReturnRecord>> assignments;  // of batches that are not all final; as written
  std::vector<StoredEnd> ends;                                       // by first
  std::vector<KillRecord> kills;                                     // of tasks that are not final
  std::vector<NodeRecord> nodes;
};

// One thread uses a store at a time.
class TaskStore {
 public:
  virtual ~TaskStore() = default;

  // Everything committed so far. Called at start and again after a failed commit.
  virtual Result<StoredState> load() = 0;

  // All of it or nothing; on disk when it returns well. After a failure the store may be used again only after load().
  virtual Status commit(const std::vector<StoreRecord>& records) = 0;
};

// One task as people ask for it: what was submitted, and how it ended if it did.
struct StoredTask {
  TaskId id;
  BatchId batch;
  std::uint64_t index = 0;
  UtcTime submitted_at;
  std::optional<Target> target;
  std::shared_ptr<const TaskSpec> spec;
  std::optional<EndRecord> end;  // none: not final in what is committed
};

struct BatchFilter {
  std::string name;  // exact; empty: any
  BatchId before;    // batches with a lower id only; zero: from the newest
  std::uint32_t limit = 100;
};

// Reads what is committed. Any number of threads, each with a reader of its own.
class TaskReader {
 public:
  virtual ~TaskReader() = default;
  virtual Result<StoredTask> task(TaskId id) = 0;                            // not_found
  virtual Result<BatchRecord> batch(BatchId id) = 0;                         // not_found
  virtual Result<std::vector<BatchRecord>> batches(const BatchFilter&) = 0;  // newest first
  // The ends of tasks first .. last of one batch, by id, at most `limit`.
  virtual Result<std::vector<EndRecord>> ends(BatchId batch, TaskId first, TaskId last, std::uint32_t limit) = 0;
  virtual Result<std::shared_ptr<const TaskSpec>> spec(BatchId id) = 0;  // not_found
};

}  // namespace v1
}  // namespace hakuriver
