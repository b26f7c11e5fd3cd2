// Answers about tasks and batches, made of what the host has in mind and what the store remembers.
//
// One thread reads the store, so that neither the host's owner nor an HTTP worker waits for the disk.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "hakuriver/ids.hpp"
#include "hakuriver/result.hpp"
#include "hakuriver/task_store.hpp"
#include "hakuriver/views.hpp"
#include "service/host_service.hpp"

namespace hakuriver::service {

struct TaskFilter {
  std::optional<TaskStatus> status;
  std::string node;  // empty: any, as below
  std::string name;
  std::optional<BatchId> batch;
  std::optional<TaskId> before;  // tasks with a lower id only; none: from the newest
  std::uint32_t limit = 100;     // tasks in the page, at most 10,000
};

class TaskQueries {
 public:
  // `host` must outlive the queries. `shared_dir`: what output paths begin with.
  TaskQueries(HostService& host, std::unique_ptr<TaskReader> reader, std::string shared_dir);
  // Drops what is not yet answered.
  ~TaskQueries();
  TaskQueries(const TaskQueries&) = delete;
  TaskQueries& operator=(const TaskQueries&) = delete;

  // Answers come on the reading thread, and must not block. not_found where there is no such thing.
  void view_task(TaskId id, std::function<void(Result<TaskView>)> answer);
  void view_batch(BatchId id, std::function<void(Result<BatchView>)> answer);
  // A page may hold fewer tasks than the limit and still have a next one: a search looks at a bounded number at once,
  // and an answer holds about eight megabytes.
  // not_found where it is empty and there is no such node or batch.
  void list_tasks(TaskFilter filter, std::function<void(Result<TaskPage>)> answer);
  // Whatever else is to be read, on the reading thread.
  void read(std::function<void(TaskReader&)> job);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hakuriver::service
