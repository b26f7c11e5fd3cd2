// The agent's side of the keeper: an implementation of KeeperPort over the Unix socket in the state directory.
//
//   auto port = open_keeper({.state_directory = "/home/u/.hakuriver/node", .keeper_program = ".../hakuriver-keeper"});
//   auto listing = (*port)->take_over(cluster_id, epoch);
//   (*port)->start(request);                    // goes out with the next dispatch
//   poll({(*port)->descriptor(), POLLIN});
//   (*port)->dispatch(events);
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "hakuriver/keeper.hpp"

namespace hakuriver::keeper {

struct KeeperClientOptions {
  std::string state_directory;                 // absolute; made with mode 0700 where it is absent
  std::string keeper_program;                  // absolute path of hakuriver-keeper
  std::vector<std::string> extra_arguments{};  // for a keeper that has to be started: "--linger-ms=500"
  std::chrono::milliseconds patience{20000};   // for a keeper to start, and to answer
};

// Does not connect yet: take_over() does, and may be called again after `gone`.
// start, signal and confirm do not wait: what they ask for goes out when descriptor() is readable and dispatch() is
// called, or when much has gathered. unavailable: not connected; limit: a request beyond 2 MiB, or 64 MiB unsent.
Result<std::unique_ptr<KeeperPort>> open_keeper(KeeperClientOptions options);

}  // namespace hakuriver::keeper
