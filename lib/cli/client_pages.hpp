// Tasks, batches and nodes laid out for a terminal.
#pragma once

#include <string>
#include <vector>

#include "cli/table.hpp"
#include "hakuriver/views.hpp"

namespace hakuriver::cli {

// One "name: value" per line; what is not known or does not matter is left out.
std::string page_of(const TaskView& task);
std::string page_of(const BatchView& batch);
std::string page_of(const ClusterHealth& cluster);
std::string pages_of(const std::vector<NodeView>& nodes);

std::string table_of(const std::vector<TaskView>& tasks, const Look& look);
std::string table_of(const std::vector<NodeView>& nodes, const Look& look);

// "2 (0: 2 cores, 1: 2 cores)".
std::string summary_of(const std::vector<NumaNode>& nodes);

}  // namespace hakuriver::cli
