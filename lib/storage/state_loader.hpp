// Reads back what a host needs to start: numbers, and no argv.
#pragma once

#include "hakuriver/result.hpp"
#include "hakuriver/task_store.hpp"
#include "storage/database.hpp"

namespace hakuriver::storage {

// In one read transaction.
Result<StoredState> load_state(Database& database);

}  // namespace hakuriver::storage
