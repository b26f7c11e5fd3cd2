// What a runner needs before it can serve: options made whole and checked, and the parts made of them.
#pragma once

#include <memory>
#include <string>

#include "doors/runner_home.hpp"
#include "hakuriver/keeper.hpp"
#include "hakuriver/log.hpp"
#include "hakuriver/node.hpp"
#include "hakuriver/result.hpp"
#include "hakuriver/runner.hpp"
#include "service/runner_start.hpp"

namespace hakuriver::doors {

// Whether the host runs on this machine, as far as its address says so.
bool is_local_host(const RunnerOptions& options);

// Fills in the name and the directories that are empty, and refuses what cannot be. Nothing is created.
Result<RunnerOptions> complete_options(RunnerOptions options);

// Creates the directories below home, and checks that all of them are there and can be written to.
Status prepare_directories(const RunnerOptions& options);

// What the node offers to the host.
Result<NodeFacts> detect_facts(const RunnerOptions& options);

// A world for tasks on this node. Says in the log what is not bound.
service::TaskWorld make_world(const RunnerOptions& options, const NodeFacts& facts, LogSink& log);

// The path of hakuriver-keeper.
Result<std::string> find_keeper(const RunnerOptions& options);

Result<std::unique_ptr<KeeperPort>> open_keeper(const RunnerOptions& options, const RunnerHome& home);

}  // namespace hakuriver::doors
