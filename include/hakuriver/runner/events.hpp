// What a runner's agent is told, and what it does about it: plain data, in and out.
//
// An event carries the time at which it arrived and a random number, so that the agent's core reads neither clock
// nor dice. Effects are done in their order; what becomes of them arrives as further events.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "hakuriver/keeper.hpp"
#include "hakuriver/messages.hpp"
#include "hakuriver/result.hpp"
#include "hakuriver/task.hpp"
#include "hakuriver/time.hpp"

namespace hakuriver {
inline namespace v1 {

// Numbers what the agent asks of the host and of the keeper, from 1 within one agent. An answer to a call that the
// agent does not wait for any more changes nothing.
using CallId = StrongId<struct CallTag>;

namespace runner_event {

// The agent begins.
struct Start {};

// An answer of the host.
template <class Answer>
struct Answered {
  CallId call;
  Answer answer;
};
using HelloAnswered = Answered<Introduction>;
using RegistrationAnswered = Answered<RegistrationAnswer>;
using PollAnswered = Answered<OrderBundle>;
using ReportAnswered = Answered<Receipt>;
using GoodbyeAnswered = Answered<Unit>;

// The host does not take a message.
struct CallRefused {
  CallId call;
  NodeRefusal refusal;
};
// No answer came: the host cannot be reached, or took too long. It may have taken the message or may take it later.
struct CallFailed {
  CallId call;
  std::string reason;
};

using KeeperTaken = Answered<KeeperListing>;
// The keeper could not be taken over: denied, conflict, or anything else.
struct KeeperRefused {
  CallId call;
  Error error;
};
// The keeper's own words, as in KeeperEvents.
struct AttemptStarted {
  KeptAttempt attempt;
};
struct AttemptChanged {
  KeptAttempt attempt;
};
struct AttemptEnded {
  KeptAttempt attempt;
};
struct KeeperGone {
  std::string reason;
};
// A StartAttempt effect came to nothing before the keeper heard of it, through no fault of the task.
struct StartFailed {
  AttemptKey key;
  std::int32_t error_number = 0;  // an errno
  std::string message;
};

// How the machine is doing; travels with the next report.
struct HealthRead {
  NodeHealth health;
};
// What the machine offers is no more what it was: the host is told by a new registration.
struct FactsChanged {
  NodeFacts facts;
};
// Time passes: wanted no later than next_wakeup(state).
struct Tick {};
// The agent is to end. `stop_tasks`: its tasks too; else they go on without it.
struct Stop {
  bool stop_tasks = false;
};

}  // namespace runner_event

struct RunnerEvent {
  MonotonicTime now;
  std::uint64_t random = 0;  // any 64 bits; spreads retries
  std::variant<runner_event::Start, runner_event::HelloAnswered, runner_event::RegistrationAnswered,
               runner_event::PollAnswered, runner_event::ReportAnswered, runner_event::GoodbyeAnswered,
               runner_event::CallRefused, runner_event::CallFailed, runner_event::KeeperTaken,
               runner_event::KeeperRefused, runner_event::AttemptStarted, runner_event::AttemptChanged,
               runner_event::AttemptEnded, runner_event::KeeperGone, runner_event::StartFailed,
               runner_event::HealthRead, runner_event::FactsChanged, runner_event::Tick, runner_event::Stop>
      what;
};

namespace runner_effect {

// A message to the host. A later call of the same kind makes an earlier one void.
template <class Message>
struct Call {
  CallId call;
  Message message;
};
using SayHello = Call<Hello>;
using Register = Call<Registration>;
using AskOrders = Call<Poll>;
using SendReport = Call<Report>;
using SayGoodbye = Call<Goodbye>;

// KeeperPort::take_over.
struct TakeKeeperOver {
  CallId call;
  std::string cluster_id;
  Epoch epoch;
};
// KeeperPort::start, with a request made from the spec.
struct StartAttempt {
  AttemptKey key;
  BatchId batch;
  std::optional<std::uint32_t> numa_node;
  std::shared_ptr<const TaskSpec> spec;
};
// KeeperPort::signal.
struct SignalAttempt {
  AttemptKey key;
  TaskSignal signal = TaskSignal::terminate;
  std::chrono::milliseconds grace{0};
};
// KeeperPort::confirm.
struct ConfirmRecords {
  std::uint64_t record = 0;
};
// Something an operator wants to read in the log. The same thing is said once, not at every retry.
struct Note {
  std::string text;
};
// The agent is through: nothing follows.
struct Stopped {};

}  // namespace runner_effect

using RunnerEffect = std::variant<runner_effect::SayHello, runner_effect::TakeKeeperOver, runner_effect::Register,
                                  runner_effect::AskOrders, runner_effect::SendReport, runner_effect::SayGoodbye,
                                  runner_effect::StartAttempt, runner_effect::SignalAttempt,
                                  runner_effect::ConfirmRecords, runner_effect::Note, runner_effect::Stopped>;
using RunnerEffects = std::vector<RunnerEffect>;

}  // namespace v1
}  // namespace hakuriver
