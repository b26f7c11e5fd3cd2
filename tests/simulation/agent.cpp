#include "simulation/agent.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include "hakuriver/runner/invariants.hpp"

namespace hakuriver::simulation {

void Agent::start() {
  if (up() || !machine_.up()) return;
  world_.trace.say(machine_.name(), "      agent starts");
  ++life_;
  RunnerPolicy policy;
  policy.grace = 3s;
  policy.stop_wait = 5s;
  policy.max_report_events = 8;
  state_ = make_runner(machine_.name(), "runner-of-" + machine_.name(), machine_.facts(), policy);
  if (world_.mutation == Mutation::agent_counts_double) {
    state_->facts.millicores *= 2;
    state_->facts.memory_bytes *= 2;
    for (auto& numa : state_->facts.numa_nodes) numa.memory_bytes *= 2;
  }
  take(runner_event::Start{});
}

void Agent::crash() {
  if (!up()) return;
  world_.trace.say(machine_.name(), "      agent dies");
  ++life_;
  state_.reset();
}

void Agent::stop(bool stop_tasks) {
  if (!up()) return;
  world_.trace.say(machine_.name(), "      agent is asked to stop", stop_tasks ? " with its tasks" : "");
  take(runner_event::Stop{stop_tasks});
}

void Agent::change_facts() {
  if (!up()) return;
  world_.trace.say(machine_.name(), "      agent offers something else");
  NodeFacts facts = state_->facts;
  facts.containers = !facts.containers;
  take(runner_event::FactsChanged{std::move(facts)});
}

// Orders of any run, at any time, as if they were the next.
void Agent::plant(decltype(RunnerEvent::what)& what) {
  auto* poll = std::get_if<runner_event::PollAnswered>(&what);
  if (poll == nullptr || world_.mutation != Mutation::agent_takes_any_order || poll->answer.orders.empty()) return;
  poll->call = state_->poll_call;
  poll->answer.epoch = state_->introduction.epoch;
  poll->answer.run = state_->run;
  std::uint64_t next = state_->applied;
  for (auto& order : poll->answer.orders) order.sequence = ++next;
}

void Agent::take(decltype(RunnerEvent::what) what) {
  if (!up()) return;
  plant(what);
  RunnerEffects effects;
  const RunnerEvent event{world_.scheduler.now(), world_.random.next(), std::move(what)};
  transition(*state_, event, effects);
  if (world_.random.chance(0.01)) {
    RunnerEffects again;
    transition(*state_, event, again);
    if (!again.empty() && !std::holds_alternative<runner_event::Tick>(event.what)) {
      world_.history.violation("promise 2: an event that came twice had effects twice");
    }
  }
  for (const auto& broken : broken_invariants(*state_)) {
    world_.history.violation("promise 5: runner on node '" + machine_.name() + "': " + broken);
  }
  perform(effects);
  wake_later();
}

void Agent::wake_later() {
  if (!up()) return;
  const auto next = next_wakeup(*state_);
  if (!next) return;
  const auto delay = std::max(microseconds{0}, *next - world_.scheduler.now());
  world_.scheduler.after(delay, [this, life = life_, wake = ++wakes_] {
    if (life == life_ && wake == wakes_) take(runner_event::Tick{});
  });
}

void Agent::perform(const RunnerEffects& effects) {
  const std::uint64_t life = life_;
  for (const auto& effect : effects) {
    if (life != life_) return;
    if (world_.fault(world_.profile.agent_step_crash)) return crash();
    std::visit([this](const auto& what) { perform(what); }, effect);
  }
}

void Agent::add_specs(OrderBundle& bundle) const {
  for (const auto& order : bundle.orders) bundle.specs[order.batch] = host_.spec(order.batch);
}

template <class Event, class Action, class Answer, class Effect>
void Agent::call(const Effect& effect, microseconds timeout) {
  const CallId id = effect.call;
  const auto later = [this, life = life_](decltype(RunnerEvent::what) what) {
    if (life == life_) take(std::move(what));
  };
  const auto answered = [this, id, later](const HostAction& action) {
    const auto& content = std::get_if<Action>(&action)->answer;
    if (const auto* refusal = std::get_if<NodeRefusal>(&content)) {
      later(runner_event::CallRefused{id, *refusal});
      return;
    }
    runner_event::Answered<Answer> event{id, *std::get_if<Answer>(&content)};
    add_specs(event.answer);
    later(std::move(event));
  };
  link_.ask(
      Event{{}, effect.message}, timeout, answered,
      [id, later] {
        later(runner_event::CallRefused{id, {Refusal::overloaded, "the disk is full"}});
      },
      [id, later](const std::string& reason) {
        later(runner_event::CallFailed{id, reason});
      });
}

void Agent::perform(const runner_effect::SayHello& effect) {
  world_.trace.say(machine_.name(), "      says hello");
  call<host_event::SayHello, host_action::AnswerHello, Introduction>(effect, 3s);
}

void Agent::perform(const runner_effect::TakeKeeperOver& effect) {
  machine_.take_over(effect, [this, life = life_](const decltype(RunnerEvent::what)& what) {
    if (life == life_) take(what);
  });
}

void Agent::perform(const runner_effect::Register& effect) {
  world_.trace.say(machine_.name(), "      registers run ", effect.message.run.value, " with ",
                   effect.message.attempts.size(), " attempts");
  call<host_event::Register, host_action::AnswerRegistration, RegistrationAnswer>(effect, 3s);
}

void Agent::perform(const runner_effect::AskOrders& effect) {
  call<host_event::AskOrders, host_action::AnswerPoll, OrderBundle>(effect, 12s);
}

void Agent::perform(const runner_effect::SendReport& effect) {
  if (!effect.message.events.empty()) {
    world_.trace.say(machine_.name(), "      reports events ", effect.message.first_event, " to ",
                     effect.message.first_event + effect.message.events.size() - 1, " of run ",
                     effect.message.run.value);
  }
  const bool hasty =
      world_.mutation == Mutation::confirm_before_commit || world_.mutation == Mutation::confirm_and_trust;
  if (hasty) machine_.confirm(state_->last_record);
  call<host_event::TakeReport, host_action::AnswerReport, Receipt>(effect, 3s);
}

void Agent::perform(const runner_effect::SignalAttempt& effect) {
  if (state_->stop_tasks) world_.history.kill_asked(effect.key.task, 1);
  machine_.signal(effect);
}

void Agent::perform(const runner_effect::SayGoodbye& effect) {
  call<host_event::SayGoodbye, host_action::AnswerGoodbye, Unit>(effect, 3s);
}

void Agent::perform(const runner_effect::Note& effect) {
  world_.trace.say(machine_.name(), "      agent: ", effect.text);
}

void Agent::perform(const runner_effect::Stopped&) {
  world_.trace.say(machine_.name(), "      agent has stopped");
  ++life_;
  state_.reset();
}

}  // namespace hakuriver::simulation
