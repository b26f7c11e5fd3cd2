// What travels between a runner's agent and the host. The agent always asks; the host answers.
//
//   hello -> introduction        learns the cluster and a challenge
//   registration -> answer       begins a run: lists every attempt that the keeper knows
//   poll -> orders               waits at the host until there is something to order
//   report -> receipt            events in order, and a sign of life
//   goodbye                      the agent stops; its tasks go on
//
// Every message may be lost, repeated, late or reordered; section "The node protocol" of docs/protocol.md tells why
// nothing goes wrong then.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hakuriver/ids.hpp"
#include "hakuriver/keeper.hpp"
#include "hakuriver/node.hpp"
#include "hakuriver/result.hpp"
#include "hakuriver/task.hpp"

namespace hakuriver {
inline namespace v1 {

inline constexpr std::uint32_t kNodeProtocolVersion = 1;

struct Hello {
  std::uint32_t version = kNodeProtocolVersion;
  std::string node;
  std::string runner_id;  // 32 hex digits, made once and kept in the runner's state directory
  Epoch epoch_seen;       // the keeper has refused a lower epoch than this; 0: it has refused none
  bool operator==(const Hello&) const = default;
};

struct Introduction {
  std::string cluster_id;  // 32 hex digits
  Epoch epoch;
  std::uint64_t challenge = 0;  // good for one registration; a later hello makes it void
  bool operator==(const Introduction&) const = default;
};

struct Registration {
  std::string node;
  std::string runner_id;
  std::uint64_t challenge = 0;
  Epoch epoch;
  RunId run;
  Session session;
  std::uint64_t confirmed = 0;  // records up to here were confirmed to the keeper before
  NodeFacts facts;
  std::vector<KeptAttempt> attempts;  // as in KeeperListing
  bool operator==(const Registration&) const = default;
};

struct RegistrationAnswer {
  std::uint64_t confirmed = 0;  // records up to here are committed: the keeper may drop them
  std::chrono::milliseconds report_interval{5000};
  bool operator==(const RegistrationAnswer&) const = default;
};

enum class OrderKind : std::uint8_t {
  start = 0,  // put the tasks behind those already waiting at the node, start them as they fit
  kill = 1,   // end the attempt; if it waits, drop it; answered by an event in every case
  pause = 2,
  resume = 3,
  withdraw = 4,  // give it back if it has not started: then a `returned` event, else nothing
};

// A range of consecutive tasks of one batch: tasks first .. first + count - 1.
struct Order {
  std::uint64_t sequence = 0;  // from 1 within a run, without gaps
  OrderKind kind = OrderKind::start;
  BatchId batch;
  TaskId first;
  std::uint64_t count = 1;
  Attempt attempt;
  std::optional<std::uint32_t> numa_node;  // start only
  bool operator==(const Order&) const = default;
};

struct Poll {
  std::string node;
  Epoch epoch;
  RunId run;
  std::uint64_t received = 0;  // orders up to here have arrived
  bool operator==(const Poll&) const = default;
};

// The answer to a poll. `specs` holds the TaskSpec of each batch that a start order of this bundle names.
struct OrderBundle {
  Epoch epoch;
  RunId run;
  std::vector<Order> orders;  // by sequence
  std::map<BatchId, std::shared_ptr<const TaskSpec>> specs;
};

enum class NodeEventKind : std::uint8_t {
  started = 0,
  paused = 1,
  resumed = 2,
  ended = 3,     // with a record number of the keeper's journal
  returned = 4,  // it never started and never will by this order; `attempt.message` says why
};

// What the value of the outcome `never_started` of a returned attempt says: 0 is nobody's fault (it was taken back, the
// runner stops), this that no try on any node will do (EINVAL, the request is beyond what a keeper takes), and any
// other errno is a fault of the node.
inline constexpr std::int32_t kNeverTakes = 22;

// `attempt.record` is 0 for everything but `ended`.
struct NodeEvent {
  NodeEventKind kind = NodeEventKind::started;
  KeptAttempt attempt;
  bool operator==(const NodeEvent&) const = default;
};

struct Report {
  std::string node;
  Epoch epoch;
  RunId run;
  std::uint64_t applied = 0;      // orders up to here are carried out or queued
  std::uint64_t first_event = 1;  // the number of events[0]; numbers count from 1 within a run
  std::vector<NodeEvent> events;
  std::optional<NodeHealth> health;
  bool operator==(const Report&) const = default;
};

struct Receipt {
  std::uint64_t events_seen = 0;  // events up to here are committed
  std::uint64_t confirmed = 0;    // records up to here are committed
  bool operator==(const Receipt&) const = default;
};

struct Goodbye {
  std::string node;
  Epoch epoch;
  RunId run;
  std::uint64_t applied = std::numeric_limits<std::uint64_t>::max();  // no order beyond this will be carried out
  bool operator==(const Goodbye&) const = default;
};

// Why the host does not take a message, and what the agent does about it.
enum class Refusal : std::uint8_t {
  register_again = 0,  // unknown run, stale challenge, or the node was taken for lost: say hello again
  name_taken = 1,      // another runner that is online has this name: try again, later and later
  version = 2,         // the host does not speak this protocol
  overloaded = 3,      // not committed (disk, or stopping): send the same again later
  old_copy = 4,        // the host's database is older than what nodes know: try again, later and later
};

struct NodeRefusal {
  Refusal why = Refusal::register_again;
  std::string message;
  bool operator==(const NodeRefusal&) const = default;
};

}  // namespace v1
}  // namespace hakuriver
