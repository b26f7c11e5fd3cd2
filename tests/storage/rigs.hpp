// The two stores behind one face, so that one suite holds both to the same contract.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <string>

#include "hakuriver/task_store.hpp"
#include "storage/memory_store.hpp"
#include "storage/sqlite_store.hpp"
#include "support/scratch_directory.hpp"

namespace hakuriver::test {

struct SqliteRig {
  ScratchDirectory directory;
  const std::string path = directory / "host.db";

  std::unique_ptr<TaskStore> open() const {
    auto store = storage::open_sqlite_store(path);
    if (!store) FAIL(store.error().message);
    return std::move(*store);
  }
  std::unique_ptr<TaskReader> reader() const {
    auto reader = storage::open_sqlite_reader(path);
    if (!reader) FAIL(reader.error().message);
    return std::move(*reader);
  }
};

struct MemoryRig {
  std::shared_ptr<storage::MemoryDisk> disk = std::make_shared<storage::MemoryDisk>();

  std::unique_ptr<TaskStore> open() const { return storage::open_memory_store(disk); }
  std::unique_ptr<TaskReader> reader() const { return storage::open_memory_reader(disk); }
};

inline StoredState loaded(TaskStore& store) {
  auto state = store.load();
  if (!state) FAIL(state.error().message);
  return std::move(*state);
}

inline void commit(TaskStore& store, const std::vector<StoreRecord>& records) {
  const Status status = store.commit(records);
  if (!status) FAIL(status.error().message);
}

}  // namespace hakuriver::test
