// How an agent finds its keeper, or starts one.
#pragma once

#include "keeper/client.hpp"
#include "keeper/descriptor.hpp"

namespace hakuriver::keeper {

// Connects to the keeper that listens in the state directory; not_found where none does.
Result<Descriptor> connect_to_keeper(const std::string& state_directory);

// Starts a keeper and waits until it is ready, or says why it is not. It leaves no child of the caller behind.
// unavailable where another keeper was faster: connect again.
Status launch_keeper(const KeeperClientOptions& options);

}  // namespace hakuriver::keeper
