// What the host is told, and what it decides: plain data, in and out.
//
// An event carries the time at which it arrived. Decisions are records, which go to the store in one commit, and
// actions, which are done after that commit and in this order. If the commit fails no action is done.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "hakuriver/ids.hpp"
#include "hakuriver/messages.hpp"
#include "hakuriver/result.hpp"
#include "hakuriver/task.hpp"
#include "hakuriver/task_store.hpp"
#include "hakuriver/time.hpp"

namespace hakuriver {
inline namespace v1 {

// Stands for somebody who waits for an answer; each is answered once. Zero is nobody.
using ReplyToken = StrongId<struct ReplyTag>;

namespace host_event {

// A submission. `targets` empty: `count` tasks on any node; one: `count` tasks there; more: one task each, and
// `count` is their number, or, of a sweep, `count` tasks on any of them (task.hpp, shares_targets). The spec has been
// validated.
struct Submit {
  ReplyToken token;
  std::string submission_id;  // empty: not repeatable
  std::uint64_t content_digest = 0;
  std::vector<Target> targets;
  std::uint64_t count = 1;
  std::shared_ptr<const TaskSpec> spec;
  // The same on the node itself, where the container was the host's choice: taken if no node would take the other.
  std::shared_ptr<const TaskSpec> on_node{};
  std::optional<Error> refusal{};  // why it is not taken, unless it was before
};
struct SayHello {
  ReplyToken token;
  Hello message;
};
struct Register {
  ReplyToken token;
  Registration message;
};
struct AskOrders {
  ReplyToken token;
  Poll message;
};
struct TakeReport {
  ReplyToken token;
  Report message;
};
struct SayGoodbye {
  ReplyToken token;
  Goodbye message;
};

enum class Command : std::uint8_t {
  kill = 0,
  pause = 1,
  resume = 2,
  kill_pending = 3,  // ends what waits, and lets what runs go on
};
// `id` names a task or a batch.
struct Control {
  ReplyToken token;
  Command command = Command::kill;
  std::uint64_t id = 0;
};

enum class NodeCommand : std::uint8_t { drain = 0, undrain = 1, forget = 2 };
struct ControlNode {
  ReplyToken token;
  NodeCommand command = NodeCommand::drain;
  std::string node;
};

// Time passes: at least once a second while anything is unfinished.
struct Tick {};

}  // namespace host_event

struct HostEvent {
  Now now;
  std::variant<host_event::Submit, host_event::SayHello, host_event::Register, host_event::AskOrders,
               host_event::TakeReport, host_event::SayGoodbye, host_event::Control, host_event::ControlNode,
               host_event::Tick>
      what;
};

// The answer to a submission: tasks task_of(batch, 0) .. task_of(batch, count - 1), in the order of the targets
// that were accepted.
struct Accepted {
  BatchId batch;
  std::uint64_t count = 0;
  std::vector<FailedTarget> failed_targets;
  bool operator==(const Accepted&) const = default;
};

// How many tasks a command reached: `done` at once, `asked` at their nodes.
struct CommandAnswer {
  std::uint64_t done = 0;
  std::uint64_t asked = 0;
  bool operator==(const CommandAnswer&) const = default;
};

// Every target was refused: nothing was accepted. Errc::unavailable.
struct Refused {
  Error error;
  std::vector<FailedTarget> failed_targets;
};

namespace host_action {

struct AnswerSubmission {
  ReplyToken token;
  std::variant<Accepted, Refused> answer;
};
template <class Answer>
struct AnswerNode {
  ReplyToken token;
  std::variant<Answer, NodeRefusal> answer;
};
using AnswerHello = AnswerNode<Introduction>;
using AnswerRegistration = AnswerNode<RegistrationAnswer>;
using AnswerPoll = AnswerNode<OrderBundle>;  // its specs are left out: whoever carries the action out adds them
using AnswerReport = AnswerNode<Receipt>;
using AnswerGoodbye = AnswerNode<Unit>;
struct AnswerCommand {
  ReplyToken token;
  Result<CommandAnswer> answer;
};
// Tasks first .. first + count - 1 have a new status. For those who wait or watch.
struct TasksChanged {
  BatchId batch;
  TaskId first;
  std::uint64_t count = 1;
  TaskStatus status = TaskStatus::pending;
};
// Something an operator wants to read in the log.
struct Note {
  std::string text;
};

}  // namespace host_action

using HostAction =
    std::variant<host_action::AnswerSubmission, host_action::AnswerHello, host_action::AnswerRegistration,
                 host_action::AnswerPoll, host_action::AnswerReport, host_action::AnswerGoodbye,
                 host_action::AnswerCommand, host_action::TasksChanged, host_action::Note>;

struct Decisions {
  std::vector<StoreRecord> records;
  std::vector<HostAction> actions;
};

}  // namespace v1
}  // namespace hakuriver
