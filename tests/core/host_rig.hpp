// A host under test: events go in by name, decisions are kept, and the invariants are checked after every step.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "hakuriver/host/invariants.hpp"
#include "hakuriver/host/recovery.hpp"
#include "hakuriver/host/transition.hpp"

namespace hakuriver::test {

// What a store has of one batch of so many tasks with a core each: tasks 1001, 1002, ...
inline StoredState stored_batch(std::uint64_t count) {
  StoredState stored;
  stored.cluster_id = "c0ffee";
  stored.epoch = Epoch{2};
  stored.last_id = 5000;
  StoredBatch batch;
  batch.id = BatchId{1000};
  batch.count = count;
  batch.requirements.resources = {1000, 0};
  stored.batches.push_back(batch);
  return stored;
}

class HostRig {
 public:
  HostRig() {
    state.cluster_id = "c0ffee";
    state.epoch = Epoch{1};
  }

  void send(decltype(HostEvent::what) what) {
    out = {};
    transition(state, {now, std::move(what)}, out);
    for (auto& record : out.records) written.push_back(record);
    const auto broken = broken_invariants(state);
    CHECK_MESSAGE(broken.empty(), (broken.empty() ? std::string() : broken[0]));
  }

  void pass(std::chrono::microseconds span) {
    now.monotonic = now.monotonic + span;
    now.utc = now.utc + span;
  }
  // Ticks once a second, as a host does.
  void tick_for(std::chrono::seconds span) {
    for (auto left = span; left.count() > 0; left -= std::chrono::seconds(1)) {
      pass(std::chrono::seconds(1));
      send(host_event::Tick{});
    }
  }

  template <class Action>
  std::vector<Action> actions() const {
    std::vector<Action> found;
    for (const auto& action : out.actions) {
      if (const auto* each = std::get_if<Action>(&action)) found.push_back(*each);
    }
    return found;
  }
  template <class Record>
  std::vector<Record> records() const {
    std::vector<Record> found;
    for (const auto& record : out.records) {
      if (const auto* each = std::get_if<Record>(&record)) found.push_back(*each);
    }
    return found;
  }

  static NodeFacts facts(std::uint64_t cores, std::uint64_t memory = 0) {
    NodeFacts facts;
    facts.millicores = cores * 1000;
    facts.memory_bytes = memory;
    facts.max_tasks = static_cast<std::uint32_t>(16 * cores);
    return facts;
  }
  static Session session(const std::string& journal = "j1", const std::string& boot = "b1") { return {journal, boot}; }

  // The node says hello and begins a run; afterwards it waits for orders.
  void join(const std::string& name, NodeFacts node_facts, std::vector<KeptAttempt> attempts = {},
            Session in_session = session()) {
    const auto answer = begin_run(name, std::move(node_facts), std::move(attempts), std::move(in_session));
    REQUIRE(std::holds_alternative<RegistrationAnswer>(answer));
    received[name] = 0;
    next_event[name] = 1;
  }

  std::variant<RegistrationAnswer, NodeRefusal> begin_run(const std::string& name, NodeFacts node_facts,
                                                          std::vector<KeptAttempt> attempts, Session in_session,
                                                          std::uint64_t confirmed = 0) {
    send(host_event::SayHello{ReplyToken{1}, {kNodeProtocolVersion, name, "runner-" + name, {}}});
    const auto hello = actions<host_action::AnswerHello>();
    REQUIRE(hello.size() == 1);
    REQUIRE(std::holds_alternative<Introduction>(hello[0].answer));
    Registration message;
    message.node = name;
    message.runner_id = "runner-" + name;
    message.challenge = std::get<Introduction>(hello[0].answer).challenge;
    message.epoch = state.epoch;
    message.run = RunId{++runs[name]};
    message.session = std::move(in_session);
    message.confirmed = confirmed;
    message.facts = std::move(node_facts);
    message.attempts = std::move(attempts);
    send(host_event::Register{ReplyToken{2}, message});
    return actions<host_action::AnswerRegistration>().at(0).answer;
  }

  // What is ordered to the node since the last call.
  std::vector<Order> orders(const std::string& name) {
    send(host_event::AskOrders{ReplyToken{100}, {name, state.epoch, RunId{runs[name]}, received[name]}});
    std::vector<Order> got;
    for (const auto& poll : actions<host_action::AnswerPoll>()) {
      const auto* bundle = std::get_if<OrderBundle>(&poll.answer);
      if (bundle == nullptr) continue;
      for (const auto& order : bundle->orders) {
        got.push_back(order);
        received[name] = order.sequence;
      }
    }
    return got;
  }

  void report(const std::string& name, std::vector<NodeEvent> events) {
    const auto count = events.size();
    Report message{name, state.epoch, RunId{runs[name]}, received[name], next_event[name], std::move(events), {}};
    next_event[name] += count;
    send(host_event::TakeReport{ReplyToken{3}, message});
    last_report = message;
  }

  Accepted submit(std::vector<Target> targets = {}, std::uint64_t count = 1, Resources resources = {1000, 0},
                  const std::string& id = {}) {
    auto spec = std::make_shared<TaskSpec>();
    spec->argv = {"true"};
    spec->resources = resources;
    if (targets.size() > 1) count = targets.size();
    send(host_event::Submit{ReplyToken{9}, id, 7, std::move(targets), count, std::move(spec)});
    const auto answers = actions<host_action::AnswerSubmission>();
    REQUIRE(answers.size() == 1);
    if (const auto* refused = std::get_if<Refused>(&answers[0].answer)) {
      last_refusal = *refused;
      return {};
    }
    return std::get<Accepted>(answers[0].answer);
  }

  TaskStatus status(TaskId id) const { return status_of(*find_batch(state, id), id); }

  HostState state;
  Now now{{1'000'000}, {1'760'000'000'000'000}};
  Decisions out;
  std::vector<StoreRecord> written;
  std::map<std::string, std::uint64_t> runs;
  std::map<std::string, std::uint64_t> received;
  std::map<std::string, std::uint64_t> next_event;
  Report last_report;
  Refused last_refusal;
};

inline KeptAttempt held_attempt(TaskId task, std::uint32_t attempt = 1) {
  KeptAttempt kept;
  kept.key = {task, Attempt{attempt}};
  kept.pid = 4711;
  kept.started_at = {1'760'000'001'000'000};
  return kept;
}
inline NodeEvent started(TaskId task, std::uint32_t attempt = 1) {
  return {NodeEventKind::started, held_attempt(task, attempt)};
}
inline KeptAttempt ended_attempt(TaskId task, std::uint64_t record, Outcome outcome = {OutcomeKind::exited, 0},
                                 std::uint32_t attempt = 1) {
  KeptAttempt kept = held_attempt(task, attempt);
  kept.state = KeptState::ended;
  kept.record = record;
  kept.outcome = outcome;
  kept.ended_after = std::chrono::seconds(2);
  return kept;
}
inline NodeEvent ended(TaskId task, std::uint64_t record, Outcome outcome = {OutcomeKind::exited, 0},
                       std::uint32_t attempt = 1) {
  return {NodeEventKind::ended, ended_attempt(task, record, outcome, attempt)};
}

}  // namespace hakuriver::test
