// What a container's name stands for when a submission is taken is read from files, which may lie on a network that
// hangs: on a thread that nobody waits for.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "hakuriver/result.hpp"

namespace hakuriver::service {

class PinLane {
 public:
  using Pin = std::function<Result<std::string>(const std::string& container)>;
  using Done = std::function<void(Result<std::string>)>;

  // `pin` is called on a thread of its own, also after this object is gone. Where it takes longer than `patience`,
  // those that wait behind it, and whoever asks meanwhile, are told so.
  explicit PinLane(Pin pin, std::chrono::milliseconds patience = std::chrono::seconds{3});
  // Waits for a `done` that runs, and for nothing else; what has not been answered never is.
  ~PinLane();
  PinLane(const PinLane&) = delete;
  PinLane& operator=(const PinLane&) = delete;

  // From any thread. `done` is called at most once, from any thread, perhaps before this returns, and must neither
  // block nor ask: with what `pin` says, or Errc::unavailable.
  void ask(std::string container, Done done);

 private:
  struct State;
  static void run(const std::shared_ptr<State>& state);

  std::shared_ptr<State> state_;
};

}  // namespace hakuriver::service
