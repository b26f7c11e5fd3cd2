// A submission becomes a batch, or is refused; a repeated one gets the answer of the first.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "hakuriver/host/old_copy.hpp"
#include "hakuriver/submit_request.hpp"

namespace hakuriver {
inline namespace v1 {

namespace detail {

// A node that a submission may name: heard of, and not past its deadline.
inline bool counts_as_online(const NodeState& node) noexcept {
  return node.presence == Presence::online || node.presence == Presence::expected || node.presence == Presence::leaving;
}

// Why it may not wait for this target.
inline std::string why_refused(const HostState& state, const Requirements& wanted, const Target& target) {
  const auto found = state.node_index.find(target.node);
  if (found == state.node_index.end() || state.nodes[found->second].presence == Presence::gone) {
    return "there is no node '" + target.node + "'";
  }
  const NodeState& node = state.nodes[found->second];
  if (!counts_as_online(node)) return "node '" + node.name + "' is offline";
  return why_never(node.facts, wanted, target.numa_node);
}

// Empty if a task with these requirements may wait for any of its targets; else why it may not.
inline std::string why_refused(const HostState& state, const Requirements& wanted) {
  std::string reason(kNoNodeIsOnline);
  for (const auto& target : wanted.targets) {
    reason = why_refused(state, wanted, target);
    if (reason.empty()) return {};
  }
  if (!wanted.targets.empty()) return reason;
  for (const auto& node : state.nodes) {
    if (!counts_as_online(node)) continue;
    reason = why_never(node.facts, wanted, std::nullopt);
    if (reason.empty()) return {};
    reason += " (node '" + node.name + "')";
  }
  return reason;
}

// The batch's and its tasks' ids: later than all ids before, and than the clock where it runs ahead.
inline BatchId take_ids(HostState& state, std::uint64_t count, UtcTime now) {
  const auto milliseconds = static_cast<std::uint64_t>(std::max<std::int64_t>(0, now.microseconds / 1000));
  const std::uint64_t id = std::max(state.last_id + 1, milliseconds << 22);
  state.last_id = id + count;
  return BatchId{id};
}

// What is left of a submission's targets.
struct Sorted {
  std::vector<Target> accepted;
  std::vector<Requirements> wanted;  // one for all of its tasks, or one for each; none: it is refused
  std::vector<FailedTarget> failed;
};

inline Sorted sort_targets(const HostState& state, const host_event::Submit& event) {
  Sorted sorted;
  const Requirements anywhere = requirements_of(*event.spec);
  if (event.targets.empty()) {
    std::string reason = why_refused(state, anywhere);
    if (reason.empty()) {
      sorted.wanted.push_back(anywhere);
    } else {
      sorted.failed.push_back({"any node", std::move(reason)});
    }
    return sorted;
  }
  for (const auto& target : event.targets) {
    std::string reason = why_refused(state, anywhere, target);
    if (!reason.empty()) {
      sorted.failed.push_back({to_string(target), std::move(reason)});
      continue;
    }
    sorted.accepted.push_back(target);
    if (!shares_targets(*event.spec)) sorted.wanted.push_back(requirements_of(*event.spec, {target}));
  }
  if (sorted.wanted.empty() && !sorted.accepted.empty()) {
    sorted.wanted.push_back(requirements_of(*event.spec, sorted.accepted));
  }
  return sorted;
}

inline ShapeList take_shapes(HostState& state, BatchId batch, const TaskSpec& spec, std::vector<Requirements> wanted) {
  ShapeList shapes;
  for (auto& one : wanted) {
    if (spec.max_running > 0) one.batch = batch;
    shapes.push_back(take_shape(state, one));
  }
  return shapes;
}

inline void enqueue_batch(HostState& state, const Batch& batch) {
  if (batch.shapes.size() == 1) {
    enqueue(state, batch.shapes[0], {task_of(batch.id, 0), batch.count});
    return;
  }
  for (std::uint64_t i = 0; i < batch.count; ++i) enqueue(state, batch.shapes[i], {task_of(batch.id, i), 1});
}

// The answer that this submission id got before, if it did. True if there was one.
inline bool answer_repeated(HostTurn& turn, const host_event::Submit& event) {
  if (event.submission_id.empty()) return false;
  const Batch* const known = find_submission(turn.state, event.submission_id);
  if (known == nullptr) return false;
  const Batch& batch = *known;
  if (batch.content_digest == event.content_digest) {
    turn.out.actions.push_back(
        host_action::AnswerSubmission{event.token, Accepted{batch.id, batch.count, batch.failed_targets}});
  } else {
    turn.out.actions.push_back(host_action::AnswerSubmission{
        event.token, Refused{{Errc::conflict, "submission id '" + event.submission_id +
                                                  "' was used before for something else: choose a new one"},
                             {}}});
  }
  return true;
}

}  // namespace detail

inline void take_submission(HostTurn& turn, const host_event::Submit& event) {
  if (detail::answer_repeated(turn, event)) return;
  if (event.refusal) {
    turn.out.actions.push_back(host_action::AnswerSubmission{event.token, Refused{*event.refusal, {}}});
    return;
  }
  HostState& state = turn.state;
  if (state.superseded) {
    turn.out.actions.push_back(
        host_action::AnswerSubmission{event.token, Refused{detail::nothing_from_old_copy(), {}}});
    return;
  }
  detail::Sorted sorted = detail::sort_targets(state, event);
  if (sorted.wanted.empty() && event.on_node) {
    host_event::Submit plain = event;
    plain.spec = std::move(plain.on_node);
    plain.on_node.reset();
    return take_submission(turn, plain);
  }
  if (sorted.wanted.empty()) {
    std::string message = sorted.failed.size() == 1 ? sorted.failed[0].reason : "every target was refused";
    turn.out.actions.push_back(host_action::AnswerSubmission{
        event.token, Refused{{Errc::unavailable, std::move(message)}, std::move(sorted.failed)}});
    return;
  }
  const bool has_one_each = event.targets.size() > 1 && !shares_targets(*event.spec);
  const std::uint64_t count = has_one_each ? sorted.accepted.size() : event.count;
  const BatchId id = detail::take_ids(state, count, turn.now.utc);
  Batch& batch = state.batches.insert({.id = id});
  batch.count = count;
  batch.content_digest = event.content_digest;
  batch.submission_id = event.submission_id;
  batch.max_running = event.spec->max_running;
  batch.submitted_at = turn.now.utc;
  batch.shapes = detail::take_shapes(state, id, *event.spec, std::move(sorted.wanted));
  batch.failed_targets = std::move(sorted.failed);
  batch.by_status[static_cast<std::size_t>(TaskStatus::pending)] = static_cast<std::uint32_t>(count);
  if (!event.submission_id.empty()) state.submissions.insert({submission_key(event.submission_id, id)});
  detail::enqueue_batch(state, batch);
  turn.out.records.emplace_back(BatchRecord{id, count, event.submission_id, event.content_digest, turn.now.utc,
                                            std::move(sorted.accepted), batch.failed_targets, event.spec});
  turn.out.actions.push_back(host_action::AnswerSubmission{event.token, Accepted{id, count, batch.failed_targets}});
  tell_changed(turn, id, {task_of(id, 0), count}, TaskStatus::pending);
}

}  // namespace v1
}  // namespace hakuriver
