// Looks now and then whether the node has a container engine: one may be installed, started, stopped or hang long after
// the runner has begun.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "doors/runner_containers.hpp"
#include "hakuriver/log.hpp"
#include "hakuriver/result.hpp"

namespace hakuriver::doors {

// Called on the watch's own thread, where they may take their time.
struct EnginePorts {
  std::function<Result<Containers>()> find;
  std::function<Status(const Containers&)> answers;
  std::function<void(bool is_there)> changed;
  LogSink* log = nullptr;  // outlives the watch
};

class EngineWatch {
 public:
  // `first` is what was found at the start.
  EngineWatch(std::optional<Containers> first, EnginePorts ports, std::chrono::milliseconds interval);
  ~EngineWatch();
  EngineWatch(const EngineWatch&) = delete;
  EngineWatch& operator=(const EngineWatch&) = delete;

  void start();
  // Waits for an engine that is being asked, which takes seconds where it hangs.
  void stop();

  // From any thread: looks at once, as something may be wrong with the engine.
  void look_now();

  // From any thread: the last one that was found, whether it answers now or not; null: none ever was.
  std::shared_ptr<const Containers> containers() const;

 private:
  void run();
  void look();
  void find();
  void ask();

  const EnginePorts ports_;
  const std::chrono::milliseconds interval_;
  bool is_there_;     // as `changed` was told last; of the thread, once it runs
  int silences_ = 0;  // one after the other; of the thread

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::shared_ptr<const Containers> containers_;  // guarded by mutex_
  bool is_stopping_ = false;                      // guarded by mutex_
  bool is_hurried_ = false;                       // guarded by mutex_
  std::thread thread_;
};

}  // namespace hakuriver::doors
