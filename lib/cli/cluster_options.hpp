// What hakurun's --to cluster hands on to the host, as it was typed.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace hakuriver::cli {

struct ClusterOptions {
  std::vector<std::string> targets;  // where any task may be; none: anywhere
  std::uint64_t max_running = 0;     // of the run's tasks at once; 0: as many as fit
  std::string cores;                 // empty: the host has its default, as below
  std::string memory;
  std::string host;
  std::string name;
  std::chrono::milliseconds time_limit{0};  // of one command; 0: none
  std::uint32_t niceness = 0;
  std::string container;  // "NULL": none, on the node itself; empty: the host has its default
  std::vector<std::string> mounts;
  bool privileged = false;  // else the host has its default
  bool private_network = false;
  bool private_pid = false;
  std::string user;      // empty: the runner's
  std::string joblog;    // of the run; empty: none
  bool resumes = false;  // it goes on with the joblog
};

}  // namespace hakuriver::cli
