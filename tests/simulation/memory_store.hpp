// A store in memory with two copies: what is committed, and what is being committed.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "hakuriver/task_store.hpp"

namespace hakuriver::simulation {

class MemoryStore : public TaskStore {
 public:
  Result<StoredState> load() override;
  Status commit(const std::vector<StoreRecord>& records) override;

  // A commit in two steps, so that the host may die between them.
  void prepare(std::vector<StoreRecord> records) { prepared_ = std::move(records); }
  void drop_prepared() { prepared_.clear(); }
  void land_prepared();

  void raise_epoch(std::uint64_t least = 0) { epoch_ = std::max(epoch_ + 1, least); }
  // A backup, and what happens when it is put back.
  void take_copy() { copy_ = {committed_, epoch_}; }
  void put_copy_back() { std::tie(committed_, epoch_) = copy_; }
  std::shared_ptr<const TaskSpec> spec(BatchId batch) const;
  const std::vector<StoreRecord>& committed() const { return committed_; }

 private:
  std::vector<StoreRecord> committed_;
  std::vector<StoreRecord> prepared_;
  std::uint64_t epoch_ = 0;
  std::pair<std::vector<StoreRecord>, std::uint64_t> copy_;
};

}  // namespace hakuriver::simulation
