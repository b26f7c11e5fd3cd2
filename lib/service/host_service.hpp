// The host at work: one thread owns the state, takes what waits in one turn, commits once, and then acts.
//
// Whoever has something to say or to ask posts it from any thread and is called back on the owner's thread, after the
// commit. Callbacks must not block.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "hakuriver/host/events.hpp"
#include "hakuriver/host/state.hpp"
#include "hakuriver/log.hpp"
#include "hakuriver/result.hpp"
#include "hakuriver/task_store.hpp"
#include "hakuriver/time.hpp"

namespace hakuriver::service {

struct HostServiceOptions {
  HostPolicy policy;
  bool accept_restore = false;  // the store is an older copy: no unfinished task is placed again by itself
  std::function<Now()> clock;   // from any thread
  // Called on the owner's thread, at most about once a second: after a turn that may have changed something.
  std::function<void(const HostState&, Now)> watch_health;
};

// What becomes of a posted event: its answer, or why there is none (Errc::unavailable: not committed, or stopping).
using HostAnswer = std::function<void(Result<HostAction>)>;

// Called with the state as it is after the commit of the turn.
using HostQuestion = std::function<void(const HostState&, Now)>;

// Called once, when the task or batch is final, or when the deadline has passed (`done` is false), or at the stop.
using WatchEnd = std::function<void(bool done)>;

class HostService {
 public:
  // The store must outlive the service and is used by its thread only. `open_reader` is called once, at start.
  HostService(TaskStore& store, std::function<Result<std::unique_ptr<TaskReader>>()> open_reader, LogSink& log,
              HostServiceOptions options);
  // Stops.
  ~HostService();
  HostService(const HostService&) = delete;
  HostService& operator=(const HostService&) = delete;

  // Loads the state and starts the owner's thread. Once.
  Status start();

  // Takes no more, commits what waits, answers every waiter Errc::unavailable, joins. From any thread but the owner's.
  void stop() noexcept;

  // `what` has its token set by the service; `answer` may be empty. Unknown after a stop: answered unavailable.
  void post(decltype(HostEvent::what) what, HostAnswer answer);

  // Reads the state in the owner's turn. Answered with false in `call` never: after a stop the question is dropped.
  void ask(HostQuestion question);

  // Waits for the end of a task or a batch.
  void watch(std::uint64_t id, std::chrono::milliseconds at_most, WatchEnd end);

  // Waits until fewer than so many tasks of the batch are unfinished.
  void watch_batch(BatchId batch, std::uint64_t below, std::chrono::milliseconds at_most, WatchEnd end);

  // The spec of a batch, for those that order or show it: from memory or the store. Owner's thread, or before start.
  Result<std::shared_ptr<const TaskSpec>> spec(BatchId batch);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hakuriver::service
