// One conversation with the host, on a thread of its own: only the last thing asked for counts.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "hakuriver/caller.hpp"
#include "hakuriver/result.hpp"

namespace hakuriver::service {

class CallLane {
 public:
  // Both functions are called on the lane's thread.
  struct Ask {
    std::function<HttpRequest()> make;
    std::function<void(const Result<HttpReply>&)> take;
    std::chrono::milliseconds deadline{0};
  };

  explicit CallLane(CallerFactory connect);
  // Cancels what is under way; its `take` may still be called before this returns.
  ~CallLane();
  CallLane(const CallLane&) = delete;
  CallLane& operator=(const CallLane&) = delete;

  // From any thread. What still waits is dropped, what is under way is cancelled.
  void ask(Ask ask);

 private:
  void run();
  std::optional<Ask> next();
  void finish();

  const CallerFactory connect_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Ask> waiting_;          // guarded by mutex_
  std::unique_ptr<HttpCaller> caller_;  // made and destroyed by the thread; guarded by mutex_ but for its call
  bool is_calling_ = false;             // guarded by mutex_
  bool is_cancelled_ = false;           // guarded by mutex_: caller_ is of no more use
  bool is_over_ = false;                // guarded by mutex_
  std::thread thread_;
};

}  // namespace hakuriver::service
