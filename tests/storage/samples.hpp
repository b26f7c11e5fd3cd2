// Records to store: each field differs from its default and from its neighbours'.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "hakuriver/task_store.hpp"

namespace hakuriver::test {

inline constexpr std::int64_t kSpring2025 = 1'745'000'000'123'456;

inline TaskSpec sample_spec(std::string name = "train") {
  TaskSpec spec;
  spec.argv = {"python", "train.py", "--lr=0.1", std::string("\xff\xfe raw", 6)};
  spec.environment = {{"SEED", "7"}, {"EMPTY", ""}};
  spec.resources = {2500, std::uint64_t{3} << 30};
  spec.name = std::move(name);
  spec.working_directory = "/data";
  spec.time_limit = std::chrono::minutes{90};
  spec.user = "alice";
  spec.niceness = 7;
  return spec;
}

inline TaskSweep sample_sweep() {
  CommandSweep commands({{{"work", std::nullopt, RunWord::none}}}, {"n"},
                        *Sweep::over({Axis(*Range::between(1, 2, 1, {}))}, SweepOrder::first_slowest));
  return *TaskSweep::make(std::move(commands));
}

inline BatchRecord sample_batch(std::uint64_t id, std::uint64_t count, std::string name = "train") {
  BatchRecord batch;
  batch.id = BatchId{id};
  batch.count = count;
  batch.submission_id = "submission-" + std::to_string(id);
  batch.content_digest = 0xfedc'ba98'7654'3210 + id;
  batch.submitted_at = UtcTime{kSpring2025 + static_cast<std::int64_t>(id)};
  batch.spec = std::make_shared<const TaskSpec>(sample_spec(std::move(name)));
  return batch;
}

inline Session sample_session() { return {"0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"}; }

inline OrderRecord sample_order(BatchId batch, std::uint64_t index, std::uint64_t count = 1,
                                std::string node = "node1") {
  return {batch, task_of(batch, index), count, Attempt{1}, std::move(node), sample_session(), RunId{3}};
}

inline ReturnRecord sample_return(BatchId batch, std::uint64_t index, std::uint64_t count = 1) {
  return {batch, task_of(batch, index), count, Attempt{2}, 1, "no space left on node1"};
}

inline EndRecord sample_end(BatchId batch, std::uint64_t index, std::string node = "node1") {
  EndRecord end;
  end.batch = batch;
  end.first = task_of(batch, index);
  end.attempt = Attempt{2};
  end.status = TaskStatus::failed;
  end.outcome = {OutcomeKind::exited, 42};
  end.node = std::move(node);
  end.numa_node = 1;
  end.started_at = UtcTime{kSpring2025 + 1'000'000};
  end.ended_at = UtcTime{kSpring2025 + 5'000'000};
  end.usage = {3'999'999, 123'456'789};
  end.stdout_bytes = 1234;
  end.stderr_bytes = 56;
  return end;
}

// Tasks that never started, killed in one go.
inline EndRecord sample_range_end(BatchId batch, std::uint64_t index, std::uint64_t count) {
  EndRecord end;
  end.batch = batch;
  end.first = task_of(batch, index);
  end.count = count;
  end.status = TaskStatus::killed;
  end.outcome = {OutcomeKind::unknown, 0};
  end.ended_at = UtcTime{kSpring2025 + 9};
  end.message = "killed while it waited";
  return end;
}

inline NodeRecord sample_node(std::string name) {
  NodeRecord node;
  node.name = std::move(name);
  node.runner_id = "aaaabbbbccccddddaaaabbbbccccdddd";
  node.session = sample_session();
  node.run = RunId{3};
  node.confirmed = 17;
  node.facts.millicores = 8000;
  node.facts.memory_bytes = std::uint64_t{16} << 30;
  node.facts.numa_nodes = {{0, {0, 1, 2, 3}, std::uint64_t{8} << 30}, {1, {4, 5, 6, 7}, std::uint64_t{8} << 30}};
  node.facts.launcher = "systemd";
  node.facts.enforced = {"cores", "memory"};
  node.facts.max_tasks = 128;
  return node;
}

inline bool same_batch(const BatchRecord& left, const BatchRecord& right) {
  return left.id == right.id && left.count == right.count && left.submission_id == right.submission_id &&
         left.content_digest == right.content_digest && left.submitted_at == right.submitted_at &&
         left.targets == right.targets && left.failed_targets == right.failed_targets && left.spec != nullptr &&
         right.spec != nullptr && *left.spec == *right.spec;
}

}  // namespace hakuriver::test
