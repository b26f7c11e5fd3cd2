// A runner's agent at work: one thread owns the state, and what it decides is done here, in order.
//
//   auto service = RunnerService::open(std::move(options), std::move(ports));
//   (*service)->serve();                            // until somebody calls stop
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "hakuriver/caller.hpp"
#include "hakuriver/keeper.hpp"
#include "hakuriver/log.hpp"
#include "hakuriver/result.hpp"
#include "hakuriver/runner.hpp"
#include "hakuriver/runner/transition.hpp"
#include "hakuriver/time.hpp"
#include "service/call_lane.hpp"
#include "service/output_lane.hpp"
#include "service/runner_start.hpp"
#include "service/wake_descriptor.hpp"

namespace hakuriver::service {

struct RunnerServiceOptions {
  std::string runner_id;  // 32 hex digits
  NodeFacts facts;
  RunnerPolicy policy;
  TaskWorld world;  // with the node's name
};

// All that the service can touch. Functions are called on the thread that serves.
struct RunnerPorts {
  std::unique_ptr<KeeperPort> keeper;
  CallerFactory connect;
  std::function<Now()> now;
  std::function<std::uint64_t()> random;  // need not be good enough for keys
  std::function<std::optional<NodeHealth>()> health;
  std::function<void()> start_failed;  // an attempt never started, which may be the machine's fault; none: nobody cares
  LogSink* log = nullptr;              // outlives the service
};

class RunnerService {
 public:
  using What = decltype(RunnerEvent::what);
  using Question = std::function<void(const RunnerState&)>;

  static Result<std::unique_ptr<RunnerService>> open(RunnerServiceOptions options, RunnerPorts ports);
  RunnerService(const RunnerService&) = delete;
  RunnerService& operator=(const RunnerService&) = delete;

  // Works until it is stopped. Once. Three further threads wait for the host meanwhile; while nothing happens there
  // is one wake-up for each report and each poll that ran out.
  Status serve();

  // From any thread and from a signal handler. A stronger wish than the one before counts.
  void stop(RunnerStop how) noexcept;

  // From any thread: the node offers this from now on, and its host is told.
  void change_facts(NodeFacts facts);

  // From any thread: the question is asked on the thread that serves, soon. Dropped once it serves no more.
  void ask(Question question);

 private:
  RunnerService(RunnerServiceOptions options, RunnerPorts ports, WakeDescriptor wake);

  void post(What what);
  void wait();
  void turn();
  void take_wish();
  void take_health();
  void take_inbox();
  void take_keeper_events();
  void take_time();
  void feed(What what);

  void perform(runner_effect::SayHello& effect);
  void perform(runner_effect::Register& effect);
  void perform(runner_effect::AskOrders& effect);
  void perform(runner_effect::SendReport& effect);
  void perform(runner_effect::SayGoodbye& effect);
  void perform(runner_effect::TakeKeeperOver& effect);
  void perform(runner_effect::StartAttempt& effect);
  void perform(runner_effect::SignalAttempt& effect);
  void perform(runner_effect::ConfirmRecords& effect);
  void perform(runner_effect::Note& effect);
  void perform(runner_effect::Stopped& effect);
  void take_keeper_status(const Status& status);
  void lose_keeper(const Error& error);

  const WakeDescriptor wake_;  // something was posted, or a wish changed
  const RunnerPorts ports_;
  const std::string shared_dir_;
  StartBuilder builder_;
  KeeperEvents keeper_events_;

  RunnerState state_;  // as all below up to the mutex, only of the thread that serves
  Now now_;
  RunnerEffects effects_;
  std::deque<What> pending_;
  std::optional<MonotonicTime> health_at_;
  BatchId prepared_for_;  // the output directories were there when this batch began
  bool has_keeper_ = false;
  bool is_stopped_ = false;

  std::mutex mutex_;
  std::vector<What> inbox_;          // guarded by mutex_
  std::vector<Question> questions_;  // guarded by mutex_
  std::atomic<int> wish_{0};         // of RunnerStop, from 1; 0: none
  int heard_ = 0;                    // the last wish that was taken

  CallLane orders_;  // last: their threads use what is above
  CallLane talk_;
  OutputLane output_;
};

}  // namespace hakuriver::service
