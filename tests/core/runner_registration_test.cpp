#include "core/runner_rig.hpp"

using namespace rig;

TEST_CASE("an agent says hello, takes the keeper over, registers its list and then polls") {
  Agent agent;
  const auto hello = agent.take(runner_event::Start{}).the<runner_effect::SayHello>();
  CHECK(hello.message == Hello{1, "node1", "0123", Epoch{0}});
  CHECK(agent.effects.size() == 1);

  const auto take_over = agent.greeted().the<runner_effect::TakeKeeperOver>();
  CHECK(take_over.cluster_id == "c1");
  CHECK(take_over.epoch == kEpoch);
  CHECK(agent.effects.size() == 1);

  const auto list = std::vector{kept(101), kept(102, KeptState::ended, 3)};
  const auto registration = agent.keeper_taken(list, 9).the<runner_effect::Register>().message;
  CHECK(registration == Registration{"node1", "0123", 5, kEpoch, RunId{5}, {"j", "b"}, 0, four_cores(), list});
  CHECK(agent.effects.size() == 1);

  agent.registered(3);
  CHECK(agent.the<runner_effect::ConfirmRecords>().record == 3);
  CHECK(agent.the<runner_effect::AskOrders>().message == Poll{"node1", kEpoch, RunId{5}, 0});
  CHECK(agent.the<runner_effect::Note>().text == "registered as 'node1'");
  CHECK(agent.the<runner_effect::SendReport>().message.events.empty());
  CHECK(agent.effects.size() == 4);
}

TEST_CASE("every answer that comes twice changes nothing the second time") {
  Agent agent;
  const auto twice = [&agent](auto&& step) {
    step();
    const RunnerEvent event = agent.last;
    RunnerEffects again;
    transition(agent.state, event, again);
    CHECK(again.empty());
    CHECK(broken_invariants(agent.state).empty());
  };
  twice([&] { agent.take(runner_event::Start{}); });
  twice([&] { agent.greeted(); });
  twice([&] { agent.keeper_taken({kept(101)}); });
  twice([&] { agent.registered(); });
  twice([&] { agent.ordered({order(1, OrderKind::start, 102, 2)}); });
  twice([&] { agent.take(runner_event::AttemptStarted{kept(102)}); });
  twice([&] { agent.take(runner_event::AttemptChanged{kept(102, KeptState::paused)}); });
  twice([&] { agent.take(runner_event::AttemptEnded{kept(102, KeptState::ended, 1)}); });
  twice([&] { agent.take(runner_event::ReportAnswered{agent.state.report_call, {1, 0}}); });
  twice([&] { agent.take(runner_event::CallFailed{agent.state.report_call, "timeout"}); });
  twice([&] { agent.take(runner_event::CallRefused{agent.state.poll_call, {Refusal::register_again, ""}}); });
  twice([&] { agent.take(runner_event::KeeperGone{"closed"}); });
  twice([&] { agent.tick(1s); });
  twice([&] { agent.take(runner_event::Stop{}); });
}

TEST_CASE("what the machine offers from now on is told by a new registration, and what runs goes on") {
  Agent agent;
  agent.up({kept(101)});
  NodeFacts facts = four_cores();
  CHECK(agent.take(runner_event::FactsChanged{facts}).quiet());
  facts.containers = true;
  agent.take(runner_event::FactsChanged{facts}).the<runner_effect::SayHello>();
  CHECK(agent.effects.size() == 1);
  agent.greeted();
  const auto registration = agent.keeper_taken({kept(101)}).the<runner_effect::Register>().message;
  CHECK(registration.facts == facts);
  CHECK(registration.attempts == std::vector{kept(101)});
  // While the host has not answered, it has perhaps been told the old ones.
  facts.containers = false;
  agent.take(runner_event::FactsChanged{facts}).tick(1s);
  agent.greeted();
  CHECK(agent.keeper_taken({kept(101)}).the<runner_effect::Register>().message.facts == facts);
  agent.registered();
  CHECK(agent.state.phase == RunnerPhase::registered);
}

TEST_CASE("what the machine offers is told once, by the registration that is still to come") {
  Agent agent;
  NodeFacts facts = four_cores();
  facts.containers = true;
  agent.take(runner_event::Start{});
  CHECK(agent.take(runner_event::FactsChanged{facts}).quiet());
  agent.greeted();
  CHECK(agent.keeper_taken().the<runner_effect::Register>().message.facts == facts);
}

TEST_CASE("an agent that stops does not begin again for what the machine offers") {
  Agent agent;
  agent.up({kept(101)});
  agent.ordered({order(1, OrderKind::start, 102)});
  agent.take(runner_event::Stop{});
  NodeFacts facts = four_cores();
  facts.containers = true;
  CHECK(agent.take(runner_event::FactsChanged{facts}).all<runner_effect::SayHello>().empty());
}

TEST_CASE("an unreachable host is tried for ever, later and later, at most half a minute apart") {
  Agent agent;
  agent.take(runner_event::Start{});
  std::chrono::microseconds last{0};
  for (int i = 0; i < 40; ++i) {
    agent.take(runner_event::CallFailed{agent.state.setup_call, "refused"});
    CHECK(agent.all<runner_effect::Note>().size() == (i == 0 ? 1 : 0));
    CHECK(agent.all<runner_effect::SayHello>().empty());
    agent.random = static_cast<std::uint64_t>(30'000'000) * 1000;  // a multiple of no span but the last
    const auto wait = *next_wakeup(agent.state) - agent.now;
    CHECK(wait <= 30s);
    last = std::max(last, wait);
    agent.tick(wait);
    agent.the<runner_effect::SayHello>();
  }
  CHECK(last > 10s);
}

TEST_CASE("retries are spread over the whole span") {
  for (const std::uint64_t random : {std::uint64_t{0}, std::uint64_t{100'000}, std::uint64_t{200'000}}) {
    Agent agent;
    agent.random = random;
    agent.take(runner_event::Start{});
    agent.take(runner_event::CallFailed{agent.state.setup_call, "refused"});
    CHECK(agent.state.setup_at - agent.now == std::chrono::microseconds(random));
  }
}

TEST_CASE("a refusal is answered by a new hello, at once only where the host asks for it and only once") {
  struct Row {
    Refusal why;
    bool at_once;
    std::size_t notes;
  };
  for (const auto& row :
       {Row{Refusal::register_again, true, 0}, Row{Refusal::name_taken, false, 1}, Row{Refusal::version, false, 1}}) {
    CAPTURE(static_cast<int>(row.why));
    Agent agent;
    agent.up();
    agent.take(runner_event::CallRefused{agent.state.poll_call, {row.why, "because"}});
    CHECK(agent.all<runner_effect::SayHello>().size() == (row.at_once ? 1 : 0));
    CHECK(agent.all<runner_effect::Note>().size() == row.notes);
    CHECK(agent.effects.size() == row.notes + (row.at_once ? 1 : 0));
    if (!row.at_once) agent.tick(30s);
    agent.take(runner_event::CallRefused{agent.state.setup_call, {row.why, "because"}});
    CHECK(agent.quiet());
  }
}

TEST_CASE("a host that could not commit is sent the same report again, later") {
  Agent agent;
  agent.up();
  agent.ordered({order(1, OrderKind::start, 101)});
  const auto first = agent.take(runner_event::AttemptStarted{kept(101)}).the<runner_effect::SendReport>();
  agent.take(runner_event::CallRefused{first.call, {Refusal::overloaded, "disk full"}});
  CHECK(agent.all<runner_effect::SendReport>().empty());
  const auto second = agent.tick(1s).the<runner_effect::SendReport>();
  CHECK(second.call != first.call);
  CHECK(second.message == first.message);
}

TEST_CASE("a new run drops what waits and what was not yet told, for the listing tells what is left") {
  Agent agent;
  agent.up();
  agent.ordered({order(1, OrderKind::start, 101, 10)});
  CHECK(agent.state.queued == 6);
  agent.tick(1s).take(runner_event::AttemptStarted{kept(101)});
  agent.take(runner_event::CallRefused{agent.state.report_call, {Refusal::register_again, ""}});
  agent.greeted();
  CHECK(agent.state.queued == 0);
  agent.take(runner_event::AttemptEnded{kept(101, KeptState::ended, 1)});
  CHECK(agent.quiet());
  agent.keeper_taken({kept(102)}, 2);
  CHECK(agent.state.events.empty());
  CHECK(agent.state.attempts.size() == 1);
  CHECK(agent.state.use.tasks == 1);
}

TEST_CASE("what waits may still start while the host does not answer, but not once the keeper is asked for its list") {
  Agent agent;
  agent.up();
  agent.ordered({order(1, OrderKind::start, 101, 6)});
  agent.take(runner_event::CallRefused{agent.state.poll_call, {Refusal::register_again, ""}});
  agent.take(runner_event::AttemptEnded{kept(101, KeptState::ended, 1)});
  CHECK(agent.the<runner_effect::StartAttempt>().key.task == TaskId{105});
  agent.greeted();
  agent.take(runner_event::AttemptEnded{kept(102, KeptState::ended, 2)});
  CHECK(agent.quiet());
}

TEST_CASE("a keeper that has seen a later epoch makes the agent say so to the host") {
  Agent agent;
  agent.take(runner_event::Start{});
  agent.greeted();
  agent.take(runner_event::KeeperRefused{agent.state.setup_call, {Errc::denied, "epoch 7 is below 9"}});
  CHECK(agent.all<runner_effect::Note>().size() == 1);
  CHECK(agent.effects.size() == 1);
  CHECK(agent.tick(30s).the<runner_effect::SayHello>().message.epoch_seen == Epoch{8});
  agent.greeted(Epoch{9});
  agent.keeper_taken();
  CHECK(agent.state.epoch_seen == Epoch{0});
}

TEST_CASE("a keeper with another cluster's tasks is named once and tried again") {
  Agent agent;
  agent.take(runner_event::Start{});
  std::size_t notes = 0;
  for (int i = 0; i < 5; ++i) {
    agent.greeted();
    agent.take(runner_event::KeeperRefused{agent.state.setup_call, {Errc::conflict, "cluster 'c2'"}});
    notes += agent.all<runner_effect::Note>().size();
    agent.tick(30s).the<runner_effect::SayHello>();
  }
  CHECK(notes == 1);
}

TEST_CASE("a keeper that is gone is taken over again as a new run") {
  Agent agent;
  agent.up();
  agent.take(runner_event::KeeperGone{"closed"});
  CHECK(agent.all<runner_effect::SayHello>().size() == 1);
  agent.take(runner_event::KeeperGone{"closed"});
  CHECK(agent.quiet());
  agent.greeted();
  CHECK(agent.all<runner_effect::TakeKeeperOver>().size() == 1);
  agent.take(runner_event::KeeperGone{"closed again"});
  CHECK(agent.all<runner_effect::SayHello>().empty());
  agent.tick(30s).the<runner_effect::SayHello>();
}

TEST_CASE("an answer from before is an echo") {
  Agent agent;
  agent.take(runner_event::Start{});
  const CallId first = agent.state.setup_call;
  agent.take(runner_event::CallFailed{first, "timeout"});
  agent.tick(30s);
  CHECK(agent.take(runner_event::HelloAnswered{first, {"c1", Epoch{1}, 1}}).quiet());
  CHECK(agent.state.phase == RunnerPhase::greeting);
  agent.greeted();
  CHECK(agent.take(runner_event::RegistrationAnswered{agent.state.setup_call, {}}).quiet());
  CHECK(agent.state.phase == RunnerPhase::taking_over);
}
