#include "core/runner_rig.hpp"

using namespace rig;

TEST_CASE("events leave at once, one report at a time, and what happens meanwhile goes together") {
  Agent agent;
  agent.up();
  agent.ordered({order(1, OrderKind::start, 101, 3)});
  const auto first = agent.take(runner_event::AttemptStarted{kept(101)}).the<runner_effect::SendReport>().message;
  CHECK(first.first_event == 1);
  CHECK(first.events.size() == 1);
  CHECK(first.applied == 1);
  CHECK(first.run == RunId{5});
  CHECK(agent.take(runner_event::AttemptStarted{kept(102)}).quiet());
  CHECK(agent.take(runner_event::AttemptEnded{kept(102, KeptState::ended, 1)}).quiet());
  agent.take(runner_event::ReportAnswered{agent.state.report_call, {1, 0}});
  const auto second = agent.the<runner_effect::SendReport>().message;
  CHECK(second.first_event == 2);
  REQUIRE(second.events.size() == 2);
  CHECK(second.events[0].kind == NodeEventKind::started);
  CHECK(second.events[1].kind == NodeEventKind::ended);
  CHECK(second.events[1].attempt.record == 1);
  CHECK(agent.effects.size() == 1);
  agent.take(runner_event::ReportAnswered{agent.state.report_call, {3, 1}});
  CHECK(agent.the<runner_effect::ConfirmRecords>().record == 1);
  CHECK(agent.effects.size() == 1);
  CHECK(agent.state.events.empty());
  CHECK(agent.state.attempts.size() == 2);
}

TEST_CASE("events are told again until the receipt covers them, however a report fails") {
  Agent agent;
  agent.up({kept(50)});
  agent.take(runner_event::AttemptChanged{kept(50, KeptState::paused)});
  for (int i = 0; i < 5; ++i) {
    agent.take(runner_event::CallFailed{agent.state.report_call, "timeout"});
    CHECK(agent.all<runner_effect::SendReport>().empty());
    const auto report = agent.tick(30s).the<runner_effect::SendReport>().message;
    CHECK(report.first_event == 1);
    CHECK(report.events.size() == 1);
  }
  agent.take(runner_event::ReportAnswered{agent.state.report_call, {0, 0}});
  CHECK(agent.the<runner_effect::SendReport>().message.events.size() == 1);
  CHECK(agent.seen().quiet());
}

TEST_CASE("a report holds a bounded number of events") {
  RunnerPolicy policy;
  policy.max_report_events = 2;
  Agent agent(policy);
  agent.up();
  agent.ordered({order(1, OrderKind::start, 101, 4)});
  for (std::uint64_t task = 101; task <= 104; ++task) agent.take(runner_event::AttemptStarted{kept(task)});
  agent.take(runner_event::ReportAnswered{agent.state.report_call, {1, 0}});
  CHECK(agent.the<runner_effect::SendReport>().message.events.size() == 2);
  agent.take(runner_event::ReportAnswered{agent.state.report_call, {3, 0}});
  CHECK(agent.the<runner_effect::SendReport>().message.first_event == 4);
}

TEST_CASE("the first report goes with the registration, and tells the health") {
  Agent agent;
  agent.take(runner_event::Start{});
  agent.greeted();
  agent.keeper_taken();
  NodeHealth health;
  health.cpu_percent = 34;
  CHECK(agent.take(runner_event::HealthRead{health}).quiet());
  CHECK(agent.registered().the<runner_effect::SendReport>().message.health == health);
}

TEST_CASE("while tasks wait at the node, what happens within a moment is told together") {
  Agent agent;
  agent.up();
  agent.ordered({order(1, OrderKind::start, 101, 6)});
  REQUIRE(agent.state.queued == 2);
  const auto pace = agent.state.policy.report_pace;
  agent.tick(1s).take(runner_event::AttemptStarted{kept(101)}).the<runner_effect::SendReport>();
  CHECK(agent.seen().quiet());
  CHECK(agent.tick(pace / 2).take(runner_event::AttemptStarted{kept(102)}).quiet());
  CHECK(agent.take(runner_event::AttemptStarted{kept(103)}).quiet());
  CHECK(*next_wakeup(agent.state) - agent.now == pace - pace / 2);
  CHECK(agent.tick(pace - pace / 2).the<runner_effect::SendReport>().message.events.size() == 2);
  CHECK(agent.seen().quiet());

  // The place of this one and the next are taken by those that wait; then nothing waits, and news leave at once.
  agent.take(runner_event::AttemptEnded{kept(101, KeptState::ended, 1)});
  CHECK(agent.all<runner_effect::SendReport>().empty());
  agent.take(runner_event::AttemptEnded{kept(102, KeptState::ended, 2)});
  CHECK(agent.state.queued == 0);
  CHECK(agent.the<runner_effect::SendReport>().message.events.size() == 2);
}

TEST_CASE("a quiet node gives a sign of life each interval, with its health") {
  Agent agent;
  agent.up();
  CHECK(agent.tick(4999ms).quiet());
  NodeHealth health;
  health.cpu_percent = 12;
  CHECK(agent.take(runner_event::HealthRead{health}).quiet());
  const auto report = agent.tick(1ms).the<runner_effect::SendReport>().message;
  CHECK(report.events.empty());
  CHECK(report.first_event == 1);
  CHECK(report.health == health);
  CHECK(agent.effects.size() == 1);
  CHECK(agent.seen().quiet());
  CHECK(*next_wakeup(agent.state) - agent.now == 5s);
}

TEST_CASE("a failed poll is asked again later, with what has arrived") {
  Agent agent;
  agent.up();
  agent.ordered({order(1, OrderKind::start, 101)});
  agent.take(runner_event::CallFailed{agent.state.poll_call, "timeout"});
  CHECK(agent.quiet());
  CHECK(agent.tick(1s).the<runner_effect::AskOrders>().message.received == 1);
}

TEST_CASE("an end is remembered until the host has seen it, and an echo of it changes nothing") {
  Agent agent;
  agent.up();
  agent.ordered({order(1, OrderKind::start, 101)});
  agent.take(runner_event::AttemptStarted{kept(101)});
  agent.take(runner_event::AttemptEnded{kept(101, KeptState::ended, 1)});
  CHECK(agent.state.attempts.size() == 1);
  agent.take(runner_event::ReportAnswered{agent.state.report_call, {1, 0}});
  agent.take(runner_event::ReportAnswered{agent.state.report_call, {2, 1}});
  CHECK(agent.state.attempts.empty());
  CHECK(agent.take(runner_event::AttemptEnded{kept(101, KeptState::ended, 1)}).quiet());
  CHECK(agent.take(runner_event::AttemptStarted{kept(101)}).quiet());
  CHECK(agent.state.use == NodeUse{});
}

TEST_CASE("an agent that stops gives back what waits, tells it, says goodbye and is through") {
  Agent agent;
  agent.up();
  agent.ordered({order(1, OrderKind::start, 101, 6)});
  agent.take(runner_event::Stop{});
  const auto report = agent.the<runner_effect::SendReport>().message;
  REQUIRE(report.events.size() == 2);
  CHECK(report.events[0].kind == NodeEventKind::returned);
  CHECK(report.events[1].attempt.key.task == TaskId{106});
  CHECK(agent.effects.size() == 1);
  CHECK(agent.all<runner_effect::SignalAttempt>().empty());
  agent.ordered({order(2, OrderKind::start, 201)});
  CHECK(agent.state.queued == 0);
  CHECK(agent.quiet());
  agent.seen();
  CHECK(agent.the<runner_effect::SayGoodbye>().message == Goodbye{"node1", kEpoch, RunId{5}, 1});
  CHECK(agent.effects.size() == 1);
  agent.take(runner_event::GoodbyeAnswered{agent.state.setup_call, {}});
  CHECK(agent.all<runner_effect::Stopped>().size() == 1);
  CHECK(agent.tick(100s).quiet());
  CHECK(!next_wakeup(agent.state));
}

TEST_CASE("an agent that stops with its tasks ends them first") {
  Agent agent;
  agent.up({kept(50)});
  agent.take(runner_event::Stop{true});
  CHECK(agent.the<runner_effect::SignalAttempt>().signal == TaskSignal::terminate);
  CHECK(agent.all<runner_effect::SayGoodbye>().empty());
  agent.take(runner_event::AttemptEnded{kept(50, KeptState::ended, 1)});
  CHECK(agent.all<runner_effect::SayGoodbye>().empty());
  agent.seen();
  CHECK(agent.all<runner_effect::SayGoodbye>().size() == 1);
}

TEST_CASE("stopping takes a bounded time, and none without a run") {
  Agent idle;
  idle.take(runner_event::Start{});
  CHECK(idle.take(runner_event::Stop{}).all<runner_effect::Stopped>().size() == 1);

  for (const bool tasks : {false, true}) {
    Agent agent;
    agent.up({kept(50)});
    agent.take(runner_event::AttemptChanged{kept(50, KeptState::paused)});
    agent.take(runner_event::Stop{tasks});
    CHECK(agent.all<runner_effect::Stopped>().empty());
    agent.tick(tasks ? 20s : 10s);
    CHECK(agent.all<runner_effect::Stopped>().size() == 1);
  }
}
