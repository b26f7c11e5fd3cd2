#include "storage/state_loader.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "storage/rows.hpp"
#include "wire/node_messages.hpp"

namespace hakuriver::storage {
namespace {

void load_meta(Database& database, StoredState& state) {
  state.cluster_id = database.ask("SELECT value FROM meta WHERE name = 'cluster_id'");
  state.epoch = Epoch{static_cast<std::uint64_t>(database.ask_integer("SELECT value FROM meta WHERE name = 'epoch'"))};
  const auto newest = database.ask_integer("SELECT id + count FROM batches ORDER BY id DESC LIMIT 1");
  const auto purged = database.ask_integer("SELECT value FROM meta WHERE name = 'last_id'");
  state.last_id = static_cast<std::uint64_t>(std::max(newest, purged));
}

// Reads targets, most of which are those of the batch before.
class TargetsReader {
 public:
  const Result<std::vector<Target>>& read(std::string_view text) {
    if (text != text_) {
      text_ = text;
      targets_ = decode_targets(text);
    }
    return targets_;
  }

 private:
  std::string text_;
  Result<std::vector<Target>> targets_{std::vector<Target>{}};
};

void load_batches(Database& database, StoredState& state) {
  state.batches.reserve(static_cast<std::size_t>(database.ask_integer("SELECT count(*) FROM batches")));
  Statement rows(database,
                 "SELECT id, count, submitted_at, content_digest, millicores, memory_bytes, container,"
                 " private_network, private_pid, submission_id, targets, failed_targets, shares_targets,"
                 " max_running, user, limits FROM batches ORDER BY id");
  TargetsReader reader;
  for (rows.start(); rows.step();) {
    StoredBatch& batch = state.batches.emplace_back();
    batch.id = BatchId{rows.natural(0)};
    batch.count = rows.natural(1);
    batch.submitted_at = UtcTime{rows.integer(2)};
    batch.content_digest = rows.natural(3);
    batch.requirements.resources = {rows.natural(4), rows.natural(5)};
    batch.requirements.container = rows.integer(6) != 0;
    batch.requirements.private_network = rows.integer(7) != 0;
    batch.requirements.private_pid = rows.integer(8) != 0;
    batch.submission_id = rows.text(9);
    const auto& targets = reader.read(rows.text(10));
    auto failed = decode_failed_targets(rows.text(11));
    if (!targets || !failed) {
      const Error& why = targets ? failed.error() : targets.error();
      return database.fail(damaged(database.path(), "batch " + to_string(batch.id), why));
    }
    batch.targets = *targets;
    batch.failed_targets = std::move(*failed);
    batch.shares_targets = rows.integer(12) != 0;
    batch.max_running = rows.natural(13);
    batch.requirements.user = rows.text(14);
    batch.requirements.limits = rows.integer(15) != 0;
  }
}

void load_ends(Database& database, StoredState& state) {
  Statement rows(database, "SELECT first, count, status FROM ends ORDER BY first");
  for (rows.start(); rows.step();) {
    const TaskId first{rows.natural(0)};
    const auto status = final_status(rows.integer(2));
    if (!status) return database.fail(damaged(database.path(), "the end of task " + to_string(first), status.error()));
    state.ends.push_back({first, rows.natural(1), *status});
  }
}

// Where tasks were ordered to, by the number that assignments have for it.
struct Place {
  std::string node;
  Session session;
  RunId run;
};
using Places = std::unordered_map<std::int64_t, Place>;

Places load_places(Database& database) {
  Places places;
  Statement rows(database, "SELECT id, node, journal_id, boot_id, run FROM places");
  for (rows.start(); rows.step();) {
    places[rows.integer(0)] = {
        std::string(rows.text(1)), {std::string(rows.text(2)), std::string(rows.text(3))}, RunId{rows.natural(4)}};
  }
  return places;
}

using Assignment = std::variant<OrderRecord, ReturnRecord>;

Assignment read_assignment(const Statement& row, const Places& places) {
  constexpr int kOrder = 0;
  const BatchId batch{row.natural(2)};
  const TaskId first{row.natural(3)};
  const std::uint64_t count = row.natural(4);
  const Attempt attempt{row.natural32(5)};
  if (row.integer(1) != kOrder) {
    return ReturnRecord{batch, first, count, attempt, row.natural32(7), std::string(row.text(8))};
  }
  // A place that is missing reads as "nobody knows where".
  const auto found = places.find(row.integer(6));
  const Place place = found == places.end() ? Place{} : found->second;
  return OrderRecord{batch, first, count, attempt, place.node, place.session, place.run};
}

// The table is in the order of batches; the order of writing is made again here.
void load_assignments(Database& database, StoredState& state) {
  const Places places = load_places(database);
  std::vector<std::pair<std::int64_t, Assignment>> found;
  Statement rows(database,
                 "SELECT sequence, kind, batch, first, count, attempt, place, faults, reason FROM assignments");
  for (rows.start(); rows.step();) found.emplace_back(rows.integer(0), read_assignment(rows, places));
  std::sort(found.begin(), found.end(), [](const auto& left, const auto& right) { return left.first < right.first; });
  state.assignments.reserve(found.size());
  for (auto& [sequence, assignment] : found) state.assignments.push_back(std::move(assignment));
}

bool has_ended(const StoredState& state, TaskId task) {
  const auto after = std::upper_bound(state.ends.begin(), state.ends.end(), task,
                                      [](TaskId id, const StoredEnd& end) { return id < end.first; });
  return after != state.ends.begin() && task.value - std::prev(after)->first.value < std::prev(after)->count;
}

void load_kills(Database& database, StoredState& state) {
  Statement rows(database, "SELECT task FROM kills ORDER BY task");
  for (rows.start(); rows.step();) {
    const TaskId task{rows.natural(0)};
    if (!has_ended(state, task)) state.kills.push_back({task});
  }
}

void load_nodes(Database& database, StoredState& state) {
  Statement rows(database,
                 "SELECT n.name, n.runner_id, n.journal_id, n.boot_id, n.run, c.record, n.drained, n.facts"
                 " FROM nodes n LEFT JOIN confirmations c ON c.node = n.name ORDER BY n.name");
  for (rows.start(); rows.step();) {
    NodeRecord& node = state.nodes.emplace_back();
    node.name = rows.text(0);
    node.runner_id = rows.text(1);
    node.session = {std::string(rows.text(2)), std::string(rows.text(3))};
    node.run = RunId{rows.natural(4)};
    node.confirmed = rows.natural(5);
    node.drained = rows.integer(6) != 0;
    auto facts = wire::decode_node_facts(rows.text(7));
    if (!facts) return database.fail(damaged(database.path(), "node '" + node.name + "'", facts.error()));
    node.facts = std::move(*facts);
  }
}

}  // namespace

Result<StoredState> load_state(Database& database) {
  StoredState state;
  database.execute("BEGIN");
  load_meta(database, state);
  load_batches(database, state);
  load_ends(database, state);
  load_assignments(database, state);
  load_kills(database, state);
  load_nodes(database, state);
  database.execute("COMMIT");
  if (database.failed()) return database.status().error();
  return state;
}

}  // namespace hakuriver::storage
