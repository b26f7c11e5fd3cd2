// Writes records into the tables, inside a transaction that somebody else begins and commits.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "hakuriver/task_store.hpp"
#include "storage/database.hpp"

namespace hakuriver::storage {

// Failures stay in the database. After one, and so after a rollback, the writer is of no use any more: it remembers
// what it wrote.
class RecordWriter {
 public:
  explicit RecordWriter(Database& database);

  void write(const std::vector<StoreRecord>& records);

 private:
  using PlaceKey = std::tuple<std::string, std::string, std::string, std::uint64_t>;

  void put(const BatchRecord& record);
  void put(const OrderRecord& record);
  void put(const ReturnRecord& record);
  void put(const EndRecord& record);
  void put(const KillRecord& record);
  void put(const NodeRecord& record);
  void put(const ConfirmRecord& record);
  void put(const ForgetNodeRecord& record);
  void put(const PurgeRecord& record);

  // The number of a place, which is written if it is new.
  std::int64_t place_of(const std::string& node, const Session& session, RunId run);
  std::int64_t find_place(const PlaceKey& key);
  // Counts what ended; what is only needed for unfinished batches goes when the last task of one ended.
  void settle();
  void settle(BatchId batch, std::uint64_t ended);
  std::uint64_t count_of(BatchId batch);  // of its tasks; 0: there is no such batch

  Database& database_;
  std::int64_t next_sequence_;
  std::map<PlaceKey, std::int64_t> places_;
  std::string last_node_;  // of an end; one node's ends come together
  std::int64_t last_node_place_ = 0;
  std::unordered_map<BatchId, std::uint64_t> ended_;  // in this commit

  Statement add_batch_;
  Statement add_unfinished_;
  Statement add_assignment_;
  Statement add_end_;
  Statement add_kill_;
  Statement add_place_;
  Statement get_place_;
  Statement put_node_;
  Statement put_confirmation_;
  Statement remove_node_;
  Statement remove_confirmation_;
  Statement count_down_;
  Statement get_count_;
  Statement remove_unfinished_;
  Statement remove_assignments_;
  Statement remove_kills_;
  Statement remove_ends_;
  Statement remove_batch_;
  Statement keep_last_id_;
};

}  // namespace hakuriver::storage
