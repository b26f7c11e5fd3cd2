// An agent's process: the real decisions, between a machine's keeper and the host.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "hakuriver/runner/transition.hpp"
#include "simulation/machine.hpp"
#include "simulation/network.hpp"

namespace hakuriver::simulation {

class Agent {
 public:
  Agent(Surroundings& world, Host& host, Machine& machine)
      : world_(world), host_(host), machine_(machine), link_(world, host, machine.name()) {}

  bool up() const { return state_.has_value(); }
  const RunnerState& state() const { return *state_; }
  Link& link() { return link_; }

  void start();
  void crash();
  void stop(bool stop_tasks);
  void change_facts();

 private:
  void take(decltype(RunnerEvent::what) what);
  void wake_later();
  void perform(const RunnerEffects& effects);
  void plant(decltype(RunnerEvent::what)& what);

  void perform(const runner_effect::SayHello& effect);
  void perform(const runner_effect::TakeKeeperOver& effect);
  void perform(const runner_effect::Register& effect);
  void perform(const runner_effect::AskOrders& effect);
  void perform(const runner_effect::SendReport& effect);
  void perform(const runner_effect::SayGoodbye& effect);
  void perform(const runner_effect::StartAttempt& effect) { machine_.start(effect); }
  void perform(const runner_effect::SignalAttempt& effect);
  void perform(const runner_effect::ConfirmRecords& effect) { machine_.confirm(effect.record); }
  void perform(const runner_effect::Note& effect);
  void perform(const runner_effect::Stopped&);

  template <class Event, class Action, class Answer, class Effect>
  void call(const Effect& effect, microseconds timeout);

  void add_specs(OrderBundle& bundle) const;
  template <class Answer>
  void add_specs(Answer&) const {}

  Surroundings& world_;
  Host& host_;
  Machine& machine_;
  Link link_;
  std::optional<RunnerState> state_;
  std::uint64_t life_ = 0;
  std::uint64_t wakes_ = 0;
};

}  // namespace hakuriver::simulation
