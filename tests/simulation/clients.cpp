#include "simulation/clients.hpp"

#include <algorithm>
#include <utility>

namespace hakuriver::simulation {

void Clients::start() {
  if (!world_.faults_on) return;
  const std::uint64_t what = world_.random.below(20);
  if (what < 8 && submissions_ < 12) {
    submit_something();
  } else if (what < 16) {
    command_something();
  } else if (what < 18) {
    command_node();
  }
  world_.scheduler.after(world_.random.between(100ms, 6s), [this] { start(); });
}

void Clients::submit_something() {
  Random& random = world_.random;
  auto spec = std::make_shared<TaskSpec>();
  spec->argv = {"work"};
  spec->resources = {random.below(4) * 1000, random.below(4) * 1000};
  host_event::Submit submission;
  submission.submission_id = "s" + std::to_string(++submissions_);
  submission.content_digest = submissions_;
  submission.count = random.chance(0.3) ? 1 : 1 + random.below(random.chance(0.2) ? 60 : 12);
  if (random.chance(0.4)) {
    const std::uint64_t targets = random.chance(0.5) ? 1 : 1 + random.below(4);
    for (std::uint64_t i = 0; i < targets; ++i) {
      Target target{nodes_[random.below(nodes_.size())], std::nullopt};
      if (random.chance(0.4)) target.numa_node = static_cast<std::uint32_t>(random.below(2));
      submission.targets.push_back(target);
    }
    if (targets > 1) submission.count = targets;
  }
  if (random.chance(0.3)) spec->max_running = 1 + random.below(5);
  if (random.chance(0.3)) make_sweep(submission, *spec);
  submission.spec = std::move(spec);
  ++open_;
  submit(submission);
}

// Its tasks are as many, and may be on any of the targets, of which each node has one.
void Clients::make_sweep(host_event::Submit& submission, TaskSpec& spec) {
  std::vector<Axis> axes{Axis(*Range::between(1, static_cast<std::int64_t>(submission.count), 1, {}))};
  CommandSweep commands({{{"work", std::nullopt, RunWord::none}}}, {"n"},
                        *Sweep::over(std::move(axes), SweepOrder::first_slowest));
  spec.argv.clear();
  spec.sweep = *TaskSweep::make(std::move(commands));
  auto& targets = submission.targets;
  std::sort(targets.begin(), targets.end());
  const auto same_node = [](const Target& a, const Target& b) { return a.node == b.node; };
  targets.erase(std::unique(targets.begin(), targets.end(), same_node), targets.end());
}

// The same until there is an answer, and sometimes once more.
void Clients::submit(host_event::Submit submission) {
  const auto settled = std::make_shared<bool>(false);
  const auto retry = [this, submission, settled] {
    if (std::exchange(*settled, true)) return;
    world_.scheduler.after(world_.random.between(10ms, 3s), [this, submission] { submit(submission); });
  };
  const auto answered = [this, submission, settled, retry](const HostAction& action) {
    const auto& answer = *std::get_if<host_action::AnswerSubmission>(&action);
    if (const auto* accepted = std::get_if<Accepted>(&answer.answer)) {
      world_.history.acknowledged(submission.submission_id, *accepted);
      if (std::exchange(*settled, true)) return;
      submission_answered(submission, answer);
      return;
    }
    const auto& refused = *std::get_if<Refused>(&answer.answer);
    if (refused.error.code == Errc::unavailable) return retry();
    world_.history.violation("promise 1: submission '" + submission.submission_id +
                             "' is refused: " + refused.error.message);
  };
  link_.ask(submission, 5s, answered, retry, [retry](const std::string&) { retry(); });
}

void Clients::submission_answered(const host_event::Submit& submission, const host_action::AnswerSubmission& answer) {
  const Accepted& accepted = *std::get_if<Accepted>(&answer.answer);
  world_.trace.say("clients    submission ", submission.submission_id, " is batch ", accepted.batch.value, " of ",
                   accepted.count, " tasks");
  if (world_.fault(0.2)) {
    world_.scheduler.after(world_.random.between(1ms, 20s), [this, submission] { submit(submission); });
    return;
  }
  accepted_.push_back(accepted);
  --open_;
}

void Clients::command_something() {
  if (accepted_.empty()) return;
  Random& random = world_.random;
  const Accepted& batch = accepted_[random.below(accepted_.size())];
  const bool whole = random.chance(0.2);
  const std::uint64_t task = random.below(batch.count);
  const std::uint64_t which = random.below(10);
  const auto what = which < 3   ? host_event::Command::kill
                    : which < 4 ? host_event::Command::kill_pending
                    : which < 7 ? host_event::Command::pause
                                : host_event::Command::resume;
  const std::uint64_t id = whole ? batch.batch.value : task_of(batch.batch, task).value;
  if (what == host_event::Command::kill || what == host_event::Command::kill_pending) {
    world_.history.kill_asked(task_of(batch.batch, whole ? 0 : task), whole ? batch.count : 1);
  }
  command(what, id);
}

void Clients::command(host_event::Command command, std::uint64_t id) {
  static constexpr const char* kNames[] = {"kill ", "pause ", "resume ", "kill pending "};
  world_.trace.say("clients    ", kNames[static_cast<std::size_t>(command)], id);
  link_.ask(
      host_event::Control{{}, command, id}, 5s, [](const HostAction&) {}, [] {}, [](const std::string&) {});
}

void Clients::command_node() {
  const std::string& node = nodes_[world_.random.below(nodes_.size())];
  const std::uint64_t which = world_.random.below(10);
  if (world_.profile.forgets && which < 6) return command(host_event::NodeCommand::forget, node);
  command(which % 2 == 0 ? host_event::NodeCommand::drain : host_event::NodeCommand::undrain, node);
}

void Clients::command(host_event::NodeCommand command, const std::string& node) {
  static constexpr const char* kNames[] = {"drain ", "undrain ", "forget "};
  world_.trace.say("clients    ", kNames[static_cast<std::size_t>(command)], node);
  link_.ask(
      host_event::ControlNode{{}, command, node}, 5s, [](const HostAction&) {}, [] {}, [](const std::string&) {});
}

void Clients::give_up(const std::vector<Accepted>& batches) {
  for (const auto& batch : batches) {
    world_.history.kill_asked(task_of(batch.batch, 0), batch.count);
    command(host_event::Command::kill, batch.batch.value);
  }
}

void Clients::tidy_up() {
  for (const auto& node : nodes_) command(host_event::NodeCommand::undrain, node);
  for (const auto& batch : accepted_) command(host_event::Command::resume, batch.batch.value);
  world_.scheduler.after(10s, [this] { tidy_up(); });
}

}  // namespace hakuriver::simulation
