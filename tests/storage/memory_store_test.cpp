// What only the store in memory offers: commits that fail when they are told to.
#include <doctest/doctest.h>

#include "storage/rigs.hpp"
#include "storage/samples.hpp"

using namespace hakuriver;
using namespace hakuriver::test;

TEST_CASE("the commit that was named fails, and only that one") {
  const MemoryRig rig;
  const auto store = rig.open();
  loaded(*store);
  rig.disk->fail_commit(2);
  commit(*store, {sample_batch(1000, 1)});
  CHECK(store->commit({sample_batch(2000, 1)}).error().code == Errc::io);
  CHECK(store->commit({sample_batch(2000, 1)}).error().code == Errc::unavailable);
  CHECK(loaded(*store).batches.size() == 1);
  commit(*store, {sample_batch(2000, 1)});
  CHECK(loaded(*store).batches.size() == 2);
}

TEST_CASE("a commit may fail and be there all the same") {
  const MemoryRig rig;
  const auto store = rig.open();
  loaded(*store);
  rig.disk->fail_commit(1, true);
  CHECK(store->commit({sample_batch(1000, 1)}).error().code == Errc::io);
  CHECK(loaded(*store).batches.size() == 1);
}

TEST_CASE("what is on the disk outlives its stores and readers") {
  auto disk = std::make_shared<storage::MemoryDisk>();
  {
    const auto store = storage::open_memory_store(disk);
    loaded(*store);
    commit(*store, {sample_batch(1000, 1)});
  }
  const auto reader = storage::open_memory_reader(disk);
  disk.reset();
  CHECK(reader->batch(BatchId{1000}));
}
