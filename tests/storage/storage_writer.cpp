// Commits batch after batch to a database and tells each that is acknowledged on stdout, until it is killed.
//
//   storage_writer DATABASE
#include <unistd.h>

#include <cstdio>

#include "storage/samples.hpp"
#include "storage/sqlite_store.hpp"

using namespace hakuriver;

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  auto store = storage::open_sqlite_store(argv[1]);
  if (!store) {
    std::fprintf(stderr, "%s\n", store.error().message.c_str());
    return 1;
  }
  const auto state = (*store)->load();
  if (!state) return 1;
  for (std::uint64_t i = state->batches.size();; ++i) {
    const BatchRecord batch = test::sample_batch(10 * (i + 1), 2);
    const Status status = (*store)->commit({batch, test::sample_order(batch.id, 0, 2), test::sample_end(batch.id, 1)});
    if (!status) return 1;
    if (::write(STDOUT_FILENO, &i, sizeof i) != sizeof i) return 1;
  }
}
