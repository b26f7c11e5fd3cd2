#include "doors/engine_watch.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace hakuriver::doors {
namespace {

// An engine that is being restarted is away for a moment.
constexpr int kSilencesOfOneGone = 2;
constexpr std::chrono::milliseconds kAfterSilence{1000};

std::string place_of(const Containers& containers) {
  return "'" + (containers.socket.empty() ? containers.client : containers.socket) + "'";
}

}  // namespace

EngineWatch::EngineWatch(std::optional<Containers> first, EnginePorts ports, std::chrono::milliseconds interval)
    : ports_(std::move(ports)), interval_(interval), is_there_(first.has_value()) {
  if (first) containers_ = std::make_shared<const Containers>(std::move(*first));
}

EngineWatch::~EngineWatch() { stop(); }

void EngineWatch::start() {
  thread_ = std::thread([this] { run(); });
}

void EngineWatch::stop() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void EngineWatch::look_now() {
  {
    const std::lock_guard lock(mutex_);
    is_hurried_ = true;
  }
  changed_.notify_all();
}

std::shared_ptr<const Containers> EngineWatch::containers() const {
  const std::lock_guard lock(mutex_);
  return containers_;
}

void EngineWatch::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto wait = silences_ == 0 ? interval_ : std::min(interval_, kAfterSilence);
    changed_.wait_for(lock, wait, [this] { return is_stopping_ || is_hurried_; });
    if (is_stopping_) return;
    is_hurried_ = false;
    lock.unlock();
    look();
    lock.lock();
  }
}

void EngineWatch::look() { is_there_ ? ask() : find(); }

void EngineWatch::find() {
  auto found = ports_.find();
  if (!found) return;
  ports_.log->info("containers by " + place_of(*found));
  {
    const std::lock_guard lock(mutex_);
    containers_ = std::make_shared<const Containers>(std::move(*found));
  }
  is_there_ = true;
  ports_.changed(true);
}

void EngineWatch::ask() {
  const auto own = containers();
  const auto answer = ports_.answers(*own);
  silences_ = answer ? 0 : silences_ + 1;
  if (silences_ < kSilencesOfOneGone) return;
  silences_ = 0;
  ports_.log->warning("no containers for now: " + place_of(*own) + ": " + answer.error().message);
  is_there_ = false;
  ports_.changed(false);
}

}  // namespace hakuriver::doors
