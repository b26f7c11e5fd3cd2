#include "core/runner_rig.hpp"

using namespace rig;

namespace {

std::vector<std::uint64_t> started(const Agent& agent) {
  std::vector<std::uint64_t> tasks;
  for (const auto& start : agent.all<runner_effect::StartAttempt>()) tasks.push_back(start.key.task.value);
  return tasks;
}

// Tasks of `returned` events that the agent holds for the host.
std::vector<std::uint64_t> returned(const Agent& agent) {
  std::vector<std::uint64_t> tasks;
  for (const auto& event : agent.state.events) {
    if (event.kind == NodeEventKind::returned) tasks.push_back(event.attempt.key.task.value);
  }
  return tasks;
}

using Tasks = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE("tasks start in the order in which they came, as they fit") {
  Agent agent;
  agent.up();
  agent.ordered({order(1, OrderKind::start, 101, 3), order(2, OrderKind::start, 201, 3)});
  CHECK(started(agent) == Tasks{101, 102, 103, 201});
  CHECK(agent.all<runner_effect::AskOrders>().size() == 1);
  CHECK(agent.effects.size() == 5);
  agent.take(runner_event::AttemptStarted{kept(102)});
  CHECK(started(agent) == Tasks{});
  agent.take(runner_event::AttemptEnded{kept(102, KeptState::ended, 1)});
  CHECK(started(agent) == Tasks{202});
}

TEST_CASE("the head of the queue is not passed by what would fit") {
  Agent agent;
  agent.up();
  agent.ordered({order(1, OrderKind::start, 101)}, {3000, 0});
  agent.ordered({order(2, OrderKind::start, 102)}, {2000, 0});
  agent.ordered({order(3, OrderKind::start, 103)}, {1000, 0});
  CHECK(started(agent) == Tasks{});
  agent.take(runner_event::AttemptEnded{kept(101, KeptState::ended, 1)});
  CHECK(started(agent) == Tasks{102, 103});
}

TEST_CASE("cores, memory, NUMA nodes and the number of tasks bound what runs at once") {
  struct Row {
    Resources resources;
    std::optional<std::uint32_t> numa;
    std::size_t at_once;
  };
  for (const auto& row : {Row{{1000, 0}, {}, 4}, Row{{1500, 0}, {}, 2}, Row{{0, 3000}, {}, 2}, Row{{0, 0}, {}, 64},
                          Row{{1000, 0}, 1, 2}, Row{{0, 1500}, 0, 2}, Row{{500, 100}, 1, 4}}) {
    CAPTURE(row.resources.millicores);
    CAPTURE(row.resources.memory_bytes);
    Agent agent;
    agent.up();
    Order start = order(1, OrderKind::start, 101, 100);
    start.numa_node = row.numa;
    agent.ordered({start}, row.resources);
    CHECK(started(agent).size() == row.at_once);
    CHECK(agent.state.queued == 100 - row.at_once);
  }
}

TEST_CASE("what an earlier agent started counts as taken") {
  Agent agent;
  KeptAttempt big = kept(50);
  big.millicores = 3000;
  agent.up({big, kept(51, KeptState::ended, 1)});
  agent.ordered({order(1, OrderKind::start, 101, 3)});
  CHECK(started(agent) == Tasks{101});
  agent.take(runner_event::AttemptEnded{kept(50, KeptState::ended, 2)});
  CHECK(started(agent) == Tasks{102, 103});
}

TEST_CASE("an agent that restarts on a full node starts nothing of what is ordered ahead until a place is free") {
  struct Row {
    Resources held;
    std::optional<std::uint32_t> numa;
    Resources wanted;
    std::size_t freed;  // places for the wanted when one of the two has ended
  };
  const Row rows[] = {{{2000, 0}, std::nullopt, {1000, 0}, 2},
                      {{1, 4000}, std::nullopt, {1, 1000}, 4},
                      {{1000, 1}, 0, {1000, 1}, 1},
                      {{1, 2000}, 1, {1, 1000}, 2}};
  for (const Row& row : rows) {
    CAPTURE(row.held.millicores);
    CAPTURE(row.held.memory_bytes);
    std::vector<KeptAttempt> running{kept(50), kept(51, KeptState::paused)};
    for (auto& each : running) {
      each.millicores = row.held.millicores;
      each.memory_bytes = row.held.memory_bytes;
      each.numa_node = row.numa;
    }
    Agent agent;
    agent.up(running);
    Order ahead = order(1, OrderKind::start, 101, 8);
    ahead.numa_node = row.numa;
    agent.ordered({ahead}, row.wanted);
    CHECK(started(agent) == Tasks{});
    agent.tick(60s);
    CHECK(started(agent) == Tasks{});
    CHECK(agent.state.queued == 8);
    agent.take(runner_event::AttemptEnded{kept(50, KeptState::ended, 1)});
    CHECK(started(agent).size() == row.freed);
  }
}

TEST_CASE("a task that can never fit here goes back with the reason and does not block the others") {
  Agent agent;
  agent.up();
  agent.ordered({order(1, OrderKind::start, 101)}, {9000, 0});
  CHECK(started(agent) == Tasks{});
  CHECK(returned(agent) == Tasks{101});
  CHECK(agent.state.events[0].attempt.message == "9 cores asked for, the node has 4");
  CHECK(agent.state.events[0].attempt.outcome.value != 0);
}

TEST_CASE("orders of another run, a lower epoch or a sequence already seen are dropped, and a gap waits") {
  Agent agent;
  agent.up();
  const auto poll_brings = [&agent](Epoch epoch, RunId run, std::vector<Order> orders) {
    OrderBundle bundle{epoch, run, std::move(orders), {{kBatch, spec_of({1000, 0})}}};
    agent.take(runner_event::PollAnswered{agent.state.poll_call, bundle});
    const Tasks tasks = started(agent);
    agent.tick(30s);
    return tasks;
  };
  CHECK(poll_brings(kEpoch, RunId{2}, {order(1, OrderKind::start, 101)}) == Tasks{});
  CHECK(poll_brings(Epoch{6}, RunId{5}, {order(1, OrderKind::start, 101)}) == Tasks{});
  CHECK(poll_brings(kEpoch, RunId{5}, {order(2, OrderKind::start, 101)}) == Tasks{});
  CHECK(agent.state.applied == 0);
  CHECK(poll_brings(kEpoch, RunId{5}, {order(1, OrderKind::start, 101), order(3, OrderKind::start, 103)}) ==
        Tasks{101});
  CHECK(poll_brings(kEpoch, RunId{5}, {order(1, OrderKind::start, 101), order(2, OrderKind::start, 102)}) ==
        Tasks{102});
  CHECK(agent.state.applied == 2);
}

TEST_CASE("a bundle that brings nothing new is not asked for in a busy loop, and an empty one is") {
  Agent agent;
  agent.up();
  agent.ordered({order(5, OrderKind::start, 101)});
  CHECK(agent.quiet());
  agent.tick(30s);
  agent.ordered({});
  CHECK(agent.the<runner_effect::AskOrders>().message.received == 0);
}

TEST_CASE("a start order without its spec or beyond what the queue may hold is left for later") {
  RunnerPolicy policy;
  policy.max_queued = 10;
  Agent agent(policy);
  agent.up();
  agent.take(runner_event::PollAnswered{agent.state.poll_call,
                                        OrderBundle{kEpoch, RunId{5}, {order(1, OrderKind::start, 101)}, {}}});
  CHECK(agent.state.applied == 0);
  agent.tick(30s);
  agent.ordered({order(1, OrderKind::start, 101, 11)});
  CHECK(agent.state.applied == 0);
  agent.tick(30s);
  agent.ordered({order(1, OrderKind::start, 101, 10)});
  CHECK(agent.state.applied == 1);
}

TEST_CASE("a kill is answered whatever the attempt is doing") {
  Agent agent;
  agent.up({kept(50), kept(51, KeptState::ended, 1)});
  agent.ordered({order(1, OrderKind::start, 101, 5)});
  CHECK(started(agent) == Tasks{101, 102, 103, 104});

  SUBCASE("it waits: dropped and given back") {
    agent.ordered({order(2, OrderKind::kill, 105)});
    CHECK(returned(agent) == Tasks{105});
    CHECK(agent.state.events[0].attempt.message == "killed before it started");
    CHECK(agent.state.queued == 0);
    CHECK(agent.all<runner_effect::SignalAttempt>().empty());
  }
  SUBCASE("it is about to start or runs: terminated, with the grace") {
    agent.ordered({order(2, OrderKind::kill, 101), order(3, OrderKind::kill, 50)});
    const auto signals = agent.all<runner_effect::SignalAttempt>();
    REQUIRE(signals.size() == 2);
    CHECK(signals[0].key == AttemptKey{TaskId{101}, Attempt{1}});
    CHECK(signals[0].signal == TaskSignal::terminate);
    CHECK(signals[0].grace == 10s);
    CHECK(signals[1].key.task == TaskId{50});
    CHECK(agent.state.events.empty());
  }
  SUBCASE("it is not known: given back") {
    agent.ordered({order(2, OrderKind::kill, 999)});
    CHECK(returned(agent) == Tasks{999});
  }
  SUBCASE("its end is on its way: that is the answer") {
    agent.ordered({order(2, OrderKind::kill, 51)});
    CHECK(agent.state.events.empty());
    CHECK(agent.all<runner_effect::SignalAttempt>().empty());
  }
  SUBCASE("another attempt of the task is not touched") {
    Order kill = order(2, OrderKind::kill, 105);
    kill.attempt = Attempt{2};
    agent.ordered({kill});
    CHECK(agent.state.queued == 1);
    REQUIRE(agent.state.events.size() == 1);
    CHECK(agent.state.events[0].attempt.key == AttemptKey{TaskId{105}, Attempt{2}});
  }
}

TEST_CASE("a waiting task is paused by starting and stopping it, and resumed before that as if nothing was") {
  Agent agent;
  agent.up();
  agent.ordered({order(1, OrderKind::start, 101, 8)});
  agent.ordered({order(2, OrderKind::pause, 106), order(3, OrderKind::pause, 107), order(4, OrderKind::resume, 107)});
  CHECK(agent.all<runner_effect::SignalAttempt>().empty());
  CHECK(agent.state.queued == 4);
  agent.take(runner_event::AttemptEnded{kept(101, KeptState::ended, 1)});
  CHECK(agent.all<runner_effect::SignalAttempt>().empty());
  agent.take(runner_event::AttemptEnded{kept(102, KeptState::ended, 2)});
  CHECK(started(agent) == Tasks{106});
  CHECK(agent.the<runner_effect::SignalAttempt>().signal == TaskSignal::pause);
  agent.take(runner_event::AttemptEnded{kept(103, KeptState::ended, 3)});
  CHECK(started(agent) == Tasks{107});
  CHECK(agent.all<runner_effect::SignalAttempt>().empty());
}

TEST_CASE("pause and resume reach what runs and nothing else") {
  Agent agent;
  agent.up({kept(50), kept(51, KeptState::ended, 1)});
  agent.ordered({order(1, OrderKind::pause, 50), order(2, OrderKind::resume, 50), order(3, OrderKind::pause, 51),
                 order(4, OrderKind::pause, 999)});
  const auto signals = agent.all<runner_effect::SignalAttempt>();
  REQUIRE(signals.size() == 2);
  CHECK(signals[0].signal == TaskSignal::pause);
  CHECK(signals[1].signal == TaskSignal::resume);
  CHECK(agent.state.events.empty());
}

TEST_CASE("only what still waits is taken back") {
  Agent agent;
  agent.up();
  agent.ordered({order(1, OrderKind::start, 101, 8)});
  agent.ordered({order(2, OrderKind::withdraw, 103, 3)});
  CHECK(returned(agent) == Tasks{105});
  CHECK(agent.state.queued == 3);
  agent.ordered({order(3, OrderKind::withdraw, 1, 1000)});
  CHECK(returned(agent) == Tasks{105, 106, 107, 108});
  CHECK(agent.state.queued == 0);
  CHECK(agent.all<runner_effect::SignalAttempt>().empty());
}

TEST_CASE("a start that the service could not even ask for is given back as the node's fault") {
  Agent agent;
  agent.up();
  agent.ordered({order(1, OrderKind::start, 101, 5)});
  agent.take(runner_event::StartFailed{{TaskId{101}, Attempt{1}}, 28, "no space"});
  CHECK(returned(agent) == Tasks{101});
  CHECK(agent.state.events[0].attempt.outcome == Outcome{OutcomeKind::never_started, 28});
  CHECK(started(agent) == Tasks{105});
  agent.take(runner_event::StartFailed{{TaskId{101}, Attempt{1}}, 28, "no space"});
  CHECK(agent.quiet());
}
