// What is behind hakuriver::RunControl.
#pragma once

#include <cstdint>
#include <mutex>
#include <thread>

#include "hakuriver/run_sweep.hpp"
#include "platform/descriptor.hpp"

namespace hakuriver::engine {

enum class RunWish : std::uint8_t { finish = 0, terminate = 1, kill = 2, suspend = 3, resume = 4 };

// A run as it is told what to do, on its own thread.
class Obedient {
 public:
  virtual ~Obedient() = default;
  virtual void obey(RunWish wish) = 0;
};

}  // namespace hakuriver::engine

namespace hakuriver {
inline namespace v1 {

struct RunControl::Impl {
  // On the thread of the run at once, else as soon as it waits.
  void wish(engine::RunWish wish);

  // On the run's thread: wishes that came from elsewhere.
  void grant();
  void attach(engine::Obedient* obedient);  // null: the run is over

  platform::Descriptor wake;  // readable while there are wishes
  std::mutex mutex;           // of the rest
  unsigned wishes = 0;        // a bit for each
  engine::Obedient* run = nullptr;
  std::thread::id thread;
};

}  // namespace v1
}  // namespace hakuriver
