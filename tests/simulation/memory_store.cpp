#include "simulation/memory_store.hpp"

#include <algorithm>

namespace hakuriver::simulation {
namespace {

struct Loader {
  StoredState state;
  std::map<BatchId, std::uint64_t> unfinished;
  std::set<TaskId> final_tasks;
  std::map<std::string, NodeRecord> nodes;
  std::vector<KillRecord> kills;
  std::vector<std::variant<OrderRecord, ReturnRecord>> assignments;

  void operator()(const BatchRecord& record) {
    state.last_id = std::max(state.last_id, record.id.value + record.count);
    unfinished[record.id] = record.count;
    state.batches.push_back({record.id, record.count, record.submission_id, record.content_digest, record.submitted_at,
                             record.targets, requirements_of(*record.spec), record.failed_targets,
                             shares_targets(*record.spec), record.spec->max_running});
  }
  void operator()(const OrderRecord& record) { assignments.emplace_back(record); }
  void operator()(const ReturnRecord& record) { assignments.emplace_back(record); }
  void operator()(const EndRecord& record) {
    unfinished[record.batch] -= record.count;
    for (std::uint64_t i = 0; i < record.count; ++i) final_tasks.insert(TaskId{record.first.value + i});
    state.ends.push_back({record.first, record.count, record.status});
  }
  void operator()(const KillRecord& record) { kills.push_back(record); }
  void operator()(const NodeRecord& record) { nodes[record.name] = record; }
  void operator()(const ConfirmRecord& record) { nodes[record.node].confirmed = record.confirmed; }
  void operator()(const ForgetNodeRecord& record) { nodes.erase(record.node); }
  void operator()(const PurgeRecord& record) {
    std::erase_if(state.batches, [&record](const StoredBatch& batch) { return batch.id == record.batch; });
  }
};

}  // namespace

Result<StoredState> MemoryStore::load() {
  prepared_.clear();
  Loader loader;
  loader.state.cluster_id = "c0ffee";
  loader.state.epoch = Epoch{epoch_};
  for (const auto& record : committed_) std::visit(loader, record);
  for (auto& assignment : loader.assignments) {
    const BatchId batch = std::visit([](const auto& record) { return record.batch; }, assignment);
    if (loader.unfinished[batch] > 0) loader.state.assignments.push_back(std::move(assignment));
  }
  for (const auto& kill : loader.kills) {
    if (loader.final_tasks.count(kill.task) == 0) loader.state.kills.push_back(kill);
  }
  for (const auto& [name, node] : loader.nodes) loader.state.nodes.push_back(node);
  std::sort(loader.state.ends.begin(), loader.state.ends.end(),
            [](const StoredEnd& a, const StoredEnd& b) { return a.first < b.first; });
  return std::move(loader.state);
}

Status MemoryStore::commit(const std::vector<StoreRecord>& records) {
  committed_.insert(committed_.end(), records.begin(), records.end());
  return Unit{};
}

void MemoryStore::land_prepared() {
  committed_.insert(committed_.end(), prepared_.begin(), prepared_.end());
  prepared_.clear();
}

std::shared_ptr<const TaskSpec> MemoryStore::spec(BatchId batch) const {
  for (const auto& record : committed_) {
    const auto* found = std::get_if<BatchRecord>(&record);
    if (found != nullptr && found->id == batch) return found->spec;
  }
  return nullptr;
}

}  // namespace hakuriver::simulation
