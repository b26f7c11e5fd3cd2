// The people of a simulated cluster: they submit, kill, pause, drain and forget, and try again when no answer comes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "simulation/host.hpp"
#include "simulation/network.hpp"
#include "simulation/surroundings.hpp"

namespace hakuriver::simulation {

class Clients {
 public:
  Clients(Surroundings& world, Host& host, std::vector<std::string> nodes)
      : world_(world), link_(world, host, "clients"), nodes_(std::move(nodes)) {}

  // Begins to act, until the faults end.
  void start();
  // After the faults: everything that holds tasks back is undone, again and again until it works.
  void tidy_up();
  // Kills batches that the host has lost track of.
  void give_up(const std::vector<Accepted>& batches);
  // Every submission has been answered.
  bool content() const { return open_ == 0; }

 private:
  void submit_something();
  static void make_sweep(host_event::Submit& submission, TaskSpec& spec);
  void submit(host_event::Submit submission);
  void submission_answered(const host_event::Submit& submission, const host_action::AnswerSubmission& answer);
  void command_something();
  void command_node();
  void command(host_event::Command command, std::uint64_t id);
  void command(host_event::NodeCommand command, const std::string& node);

  Surroundings& world_;
  Link link_;
  std::vector<std::string> nodes_;
  std::vector<Accepted> accepted_;
  std::uint64_t submissions_ = 0;
  std::uint64_t open_ = 0;
};

}  // namespace hakuriver::simulation
