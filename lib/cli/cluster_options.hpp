// What hakurun's --to cluster hands on to the host, as it was typed.
#pragma once

#include <string>

namespace hakuriver::cli {

struct ClusterOptions {
  std::string target;  // empty: the host chooses, or has its default, as below
  std::string cores;
  std::string memory;
  std::string host;
  std::string name;
};

}  // namespace hakuriver::cli
