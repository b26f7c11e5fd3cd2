// A store in memory with two copies: what is committed, and what is being committed.
#pragma once

#include <map>
#include <memory>
#include <set>
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

  void raise_epoch() { ++epoch_; }
  std::shared_ptr<const TaskSpec> spec(BatchId batch) const;
  const std::vector<StoreRecord>& committed() const { return committed_; }

 private:
  std::vector<StoreRecord> committed_;
  std::vector<StoreRecord> prepared_;
  std::uint64_t epoch_ = 0;
};

}  // namespace hakuriver::simulation
