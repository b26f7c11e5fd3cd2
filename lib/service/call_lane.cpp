#include "service/call_lane.hpp"

#include <utility>

namespace hakuriver::service {

CallLane::CallLane(CallerFactory connect) : connect_(std::move(connect)), thread_([this] { run(); }) {}

CallLane::~CallLane() {
  {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
    waiting_.reset();
    if (is_calling_) caller_->cancel();
    changed_.notify_all();
  }
  thread_.join();
}

void CallLane::ask(Ask ask) {
  {
    const std::lock_guard lock(mutex_);
    waiting_ = std::move(ask);
    if (is_calling_ && !is_cancelled_) {
      is_cancelled_ = true;
      caller_->cancel();
    }
  }
  // After the lock: the thread would only wake to wait for it.
  changed_.notify_all();
}

// Waits for something to ask, and has a caller ready for it.
std::optional<CallLane::Ask> CallLane::next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return is_over_ || waiting_.has_value(); });
  if (is_over_) return std::nullopt;
  if (caller_ == nullptr) caller_ = connect_();
  is_calling_ = true;
  return std::exchange(waiting_, std::nullopt);
}

void CallLane::finish() {
  const std::lock_guard lock(mutex_);
  is_calling_ = false;
  if (std::exchange(is_cancelled_, false)) caller_.reset();
}

void CallLane::run() {
  while (const auto ask = next()) {
    const auto reply = caller_->call(ask->make(), ask->deadline);
    finish();
    ask->take(reply);
  }
}

}  // namespace hakuriver::service
