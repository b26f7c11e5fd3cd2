#include "storage/memory_store.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <utility>

namespace hakuriver::storage {
namespace {

using Assignment = std::variant<OrderRecord, ReturnRecord>;

std::string random_hex() {
  std::random_device device;
  std::string text;
  while (text.size() < 32) text += "0123456789abcdef"[device() % 16];
  return text;
}

Error no_task(TaskId id) { return {Errc::not_found, "there is no task " + to_string(id)}; }
Error no_batch(BatchId id) { return {Errc::not_found, "there is no batch " + to_string(id)}; }

}  // namespace

struct MemoryDisk::Content {
  std::mutex mutex;  // guards all of it
  std::string cluster_id = random_hex();
  std::uint64_t epoch = 0;
  std::uint64_t last_id = 0;
  std::uint64_t last_sequence = 0;
  std::map<std::uint64_t, BatchRecord> batches;
  std::map<std::uint64_t, std::uint64_t> unfinished;  // by batch: how many tasks have not ended
  std::set<std::string> submissions;
  std::map<std::pair<std::uint64_t, std::uint64_t>, Assignment> assignments;  // by batch and sequence
  std::map<std::uint64_t, EndRecord> ends;                                    // by first
  std::set<std::uint64_t> kills;
  std::map<std::string, NodeRecord> nodes;
  std::uint64_t fails_in = 0;  // commits; 0: none fails
  bool fails_landed = false;

  void apply(const BatchRecord& record);
  void apply(const OrderRecord& record) { assignments[{record.batch.value, ++last_sequence}] = record; }
  void apply(const ReturnRecord& record) { assignments[{record.batch.value, ++last_sequence}] = record; }
  void apply(const EndRecord& record);
  void apply(const KillRecord& record) { kills.insert(record.task.value); }
  void apply(const NodeRecord& record) { nodes[record.name] = record; }
  void apply(const ConfirmRecord& record);
  void apply(const ForgetNodeRecord& record) { nodes.erase(record.node); }
  void apply(const PurgeRecord& record);
  void forget_assignments(BatchId batch);
  void forget_kills(std::uint64_t first, std::uint64_t last);
};

void MemoryDisk::Content::apply(const BatchRecord& record) {
  batches[record.id.value] = record;
  unfinished[record.id.value] = record.count;
  if (!record.submission_id.empty()) submissions.insert(record.submission_id);
  last_id = std::max(last_id, record.id.value + record.count);
}

void MemoryDisk::Content::apply(const EndRecord& record) {
  ends[record.first.value] = record;
  forget_kills(record.first.value, record.first.value + record.count - 1);
  const auto left = unfinished.find(record.batch.value);
  if (left == unfinished.end()) return;
  left->second -= std::min(left->second, record.count);
  if (left->second > 0) return;
  unfinished.erase(left);
  forget_assignments(record.batch);
}

void MemoryDisk::Content::apply(const ConfirmRecord& record) {
  const auto node = nodes.find(record.node);
  if (node != nodes.end()) node->second.confirmed = record.confirmed;
}

void MemoryDisk::Content::apply(const PurgeRecord& record) {
  const auto batch = batches.find(record.batch.value);
  if (batch == batches.end()) return;
  const std::uint64_t last = record.batch.value + batch->second.count;
  forget_assignments(record.batch);
  forget_kills(record.batch.value + 1, last);
  ends.erase(ends.upper_bound(record.batch.value), ends.upper_bound(last));
  submissions.erase(batch->second.submission_id);
  unfinished.erase(record.batch.value);
  batches.erase(batch);
}

void MemoryDisk::Content::forget_assignments(BatchId batch) {
  assignments.erase(assignments.lower_bound({batch.value, 0}), assignments.lower_bound({batch.value + 1, 0}));
}

void MemoryDisk::Content::forget_kills(std::uint64_t first, std::uint64_t last) {
  kills.erase(kills.lower_bound(first), kills.upper_bound(last));
}

MemoryDisk::MemoryDisk() : content_(std::make_unique<Content>()) {}
MemoryDisk::~MemoryDisk() = default;

void MemoryDisk::fail_commit(std::uint64_t n, bool landed) {
  const std::scoped_lock lock(content_->mutex);
  content_->fails_in = n;
  content_->fails_landed = landed;
}

namespace {

using Content = MemoryDisk::Content;

// What a database would refuse: looked for before anything is changed, so that a commit is all or nothing.
class Refusals {
 public:
  explicit Refusals(const Content& content) : content_(content) {}

  Status check(const BatchRecord& record) {
    const bool known = content_.batches.contains(record.id.value) && !purged_.contains(record.id.value);
    if (known || !batches_.insert(record.id.value).second) return refuse("batch", record.id.value);
    if (record.submission_id.empty()) return Unit{};
    if (content_.submissions.contains(record.submission_id) || !submissions_.insert(record.submission_id).second) {
      return Error{Errc::internal, "there is a batch with the submission id '" + record.submission_id + "'"};
    }
    return Unit{};
  }
  Status check(const OrderRecord& record) { return check_assignment(record.batch); }
  Status check(const ReturnRecord& record) { return check_assignment(record.batch); }
  Status check(const EndRecord& record) {
    const bool known = content_.ends.contains(record.first.value);
    if (known || !ends_.insert(record.first.value).second) return refuse("end of task", record.first.value);
    return Unit{};
  }
  Status check(const PurgeRecord& record) {
    purged_.insert(record.batch.value);
    return Unit{};
  }
  template <class Other>
  Status check(const Other& /*record*/) {
    return Unit{};
  }

 private:
  static Error refuse(const std::string& what, std::uint64_t id) {
    return {Errc::internal, "there is a " + what + " " + std::to_string(id) + " already"};
  }
  Status check_assignment(BatchId batch) {
    if (content_.batches.contains(batch.value) || batches_.contains(batch.value)) return Unit{};
    return Error{Errc::internal, "an order of batch " + to_string(batch) + ", which is not there"};
  }

  const Content& content_;
  std::set<std::uint64_t> batches_;
  std::set<std::uint64_t> purged_;
  std::set<std::uint64_t> ends_;
  std::set<std::string> submissions_;
};

StoredBatch stored(const BatchRecord& batch) {
  return {batch.id,
          batch.count,
          batch.submission_id,
          batch.content_digest,
          batch.submitted_at,
          batch.targets,
          requirements_of(*batch.spec),
          batch.failed_targets,
          shares_targets(*batch.spec),
          batch.spec->max_running};
}

class MemoryStore final : public TaskStore {
 public:
  explicit MemoryStore(std::shared_ptr<MemoryDisk> disk) : disk_(std::move(disk)) {}

  Result<StoredState> load() override {
    Content& content = disk_->content();
    const std::scoped_lock lock(content.mutex);
    if (epoch_ == 0) epoch_ = ++content.epoch;
    StoredState state;
    state.cluster_id = content.cluster_id;
    state.epoch.value = epoch_;
    state.last_id = content.last_id;
    for (const auto& [id, batch] : content.batches) state.batches.push_back(stored(batch));
    std::map<std::uint64_t, const Assignment*> by_sequence;
    for (const auto& [key, assignment] : content.assignments) by_sequence[key.second] = &assignment;
    for (const auto& [sequence, assignment] : by_sequence) state.assignments.push_back(*assignment);
    for (const auto& [first, end] : content.ends) state.ends.push_back({end.first, end.count, end.status});
    for (const auto task : content.kills) state.kills.push_back({TaskId{task}});
    for (const auto& [name, node] : content.nodes) state.nodes.push_back(node);
    loaded_ = true;
    return state;
  }

  Status commit(const std::vector<StoreRecord>& records) override {
    Content& content = disk_->content();
    const std::scoped_lock lock(content.mutex);
    if (!loaded_) return Error{Errc::unavailable, "the store must be loaded before it is written"};
    if (records.empty()) return Unit{};
    const bool fails = content.fails_in > 0 && --content.fails_in == 0;
    Refusals refusals(content);
    for (const auto& record : records) {
      const auto status = std::visit([&](const auto& one) { return refusals.check(one); }, record);
      loaded_ = loaded_ && status.has_value();
      if (!status) return status;
    }
    if (!fails || content.fails_landed) {
      for (const auto& record : records) std::visit([&](const auto& one) { content.apply(one); }, record);
    }
    loaded_ = !fails;
    if (fails) return Error{Errc::io, "the commit failed, as it was told to"};
    return Unit{};
  }

 private:
  std::shared_ptr<MemoryDisk> disk_;
  std::uint64_t epoch_ = 0;
  bool loaded_ = false;
};

class MemoryReader final : public TaskReader {
 public:
  explicit MemoryReader(std::shared_ptr<MemoryDisk> disk) : disk_(std::move(disk)) {}

  Result<StoredTask> task(TaskId id) override {
    const std::scoped_lock lock(content_.mutex);
    auto found = content_.batches.lower_bound(id.value);
    if (found == content_.batches.begin()) return no_task(id);
    const BatchRecord& batch = (--found)->second;
    const std::uint64_t index = id.value - batch.id.value - 1;
    if (index >= batch.count) return no_task(id);
    const EndRecord* const end = end_at(id);
    return StoredTask{id,
                      batch.id,
                      index,
                      batch.submitted_at,
                      target_of(batch, index),
                      batch.spec,
                      end == nullptr ? std::nullopt : std::optional<EndRecord>(*end)};
  }

  Result<BatchRecord> batch(BatchId id) override {
    const std::scoped_lock lock(content_.mutex);
    const auto found = content_.batches.find(id.value);
    if (found == content_.batches.end()) return no_batch(id);
    return found->second;
  }

  Result<std::vector<BatchRecord>> batches(const BatchFilter& filter) override {
    const std::scoped_lock lock(content_.mutex);
    std::vector<BatchRecord> found;
    for (auto at = content_.batches.rbegin(); at != content_.batches.rend() && found.size() < filter.limit; ++at) {
      const bool fits = filter.before.value == 0 || at->first < filter.before.value;
      if (fits && (filter.name.empty() || filter.name == at->second.spec->name)) found.push_back(at->second);
    }
    return found;
  }

  Result<std::vector<EndRecord>> ends(BatchId batch, TaskId first, TaskId last, std::uint32_t limit) override {
    const std::scoped_lock lock(content_.mutex);
    const auto known = content_.batches.find(batch.value);
    if (known == content_.batches.end()) return no_batch(batch);
    const std::uint64_t from = std::max(first.value, batch.value + 1);
    const std::uint64_t to = std::min(last.value, batch.value + known->second.count);
    const EndRecord* const covering = end_at(TaskId{from});
    std::vector<EndRecord> found;
    for (auto at = content_.ends.lower_bound(covering == nullptr ? from : covering->first.value);
         at != content_.ends.end() && at->first <= to && found.size() < limit; ++at) {
      found.push_back(at->second);
    }
    return found;
  }

  Result<std::shared_ptr<const TaskSpec>> spec(BatchId id) override {
    auto found = batch(id);
    if (!found) return found.error();
    return std::move(found->spec);
  }

 private:
  const EndRecord* end_at(TaskId id) const {
    auto found = content_.ends.upper_bound(id.value);
    if (found == content_.ends.begin()) return nullptr;
    const EndRecord& end = (--found)->second;
    return end.first.value + end.count > id.value ? &end : nullptr;
  }

  std::shared_ptr<MemoryDisk> disk_;
  Content& content_ = disk_->content();
};

}  // namespace

std::unique_ptr<TaskStore> open_memory_store(std::shared_ptr<MemoryDisk> disk) {
  return std::make_unique<MemoryStore>(std::move(disk));
}

std::unique_ptr<TaskReader> open_memory_reader(std::shared_ptr<MemoryDisk> disk) {
  return std::make_unique<MemoryReader>(std::move(disk));
}

}  // namespace hakuriver::storage
