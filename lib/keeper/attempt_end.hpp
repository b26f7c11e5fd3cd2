// What is said of an attempt when it has ended.
#pragma once

#include <sys/resource.h>

#include <optional>
#include <string>

#include "hakuriver/outcome.hpp"
#include "keeper/ledger.hpp"

namespace hakuriver::keeper {

struct AttemptEnd {
  Outcome outcome;
  Usage usage;
  std::string message;
};

// `wait_status` as waitpid gives it; none: it could not be read. `used`: zero where the kernel did not tell. An attempt
// in a cgroup ran out of memory where the kernel counted such a kill in it and it did not end well in spite of that,
// nor because it was asked to.
AttemptEnd end_of(const LiveAttempt& attempt, std::optional<int> wait_status, Usage used);

Usage usage_of(const rusage& used);

}  // namespace hakuriver::keeper
