// A whole cluster in one process and in virtual time: a host, machines with agents, clients, and faults, all from one
// seed. The host's and the agents' decisions are the product's own; the rest is made here.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "simulation/agent.hpp"
#include "simulation/clients.hpp"
#include "simulation/host.hpp"
#include "simulation/machine.hpp"
#include "simulation/surroundings.hpp"

namespace hakuriver::simulation {

struct Findings {
  std::vector<std::string> violations;  // empty: every promise held
  std::uint64_t executions = 0;
  std::uint64_t finals = 0;
  std::uint64_t virtual_seconds = 0;
};

class Cluster {
 public:
  Cluster(std::uint64_t seed, Mutation mutation, bool trace);
  Findings run();

 private:
  struct Node {
    std::unique_ptr<Machine> machine;
    std::unique_ptr<Agent> agent;
  };

  void cause_trouble();
  void trouble_for_node(Node& node);
  void restore_later();
  void accept_proved_restore();
  void heal();
  bool at_rest() const;
  void watch_end(std::uint64_t finals, MonotonicTime deadline);
  void give_up_lost();
  void stop_when_idle();
  void check_tidiness();

  Surroundings world_;
  Host host_;
  std::vector<Node> nodes_;
  std::unique_ptr<Clients> clients_;
};

inline Findings simulate(std::uint64_t seed, Mutation mutation = Mutation::none, bool trace = false) {
  return Cluster(seed, mutation, trace).run();
}

}  // namespace hakuriver::simulation
