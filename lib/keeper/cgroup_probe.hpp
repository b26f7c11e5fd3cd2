// Whether attempts can have cgroups below a directory, found out by making one.
#pragma once

#include <string>

#include "hakuriver/keeper.hpp"
#include "hakuriver/result.hpp"

namespace hakuriver::keeper {

// Makes a cgroup below `parent`, with limits, runs `program` in it, freezes it and removes it. What comes back says in
// limits_cores and limits_memory what can be enforced. `program` is an absolute path; it gets no arguments and
// /dev/null, and should end at once.
Result<CgroupParent> probe_cgroups(CgroupParent parent, const std::string& program);

}  // namespace hakuriver::keeper
