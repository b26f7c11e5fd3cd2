#include "engine/run_control.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "platform/system_error.hpp"

namespace hakuriver {
inline namespace v1 {

using engine::RunWish;

void RunControl::Impl::wish(RunWish wish) {
  engine::Obedient* obedient = nullptr;
  {
    const std::lock_guard lock(mutex);
    if (run != nullptr && thread == std::this_thread::get_id()) {
      obedient = run;
    } else {
      if (wish == RunWish::suspend || wish == RunWish::resume) {
        wishes &= ~(1u << static_cast<unsigned>(RunWish::suspend) | 1u << static_cast<unsigned>(RunWish::resume));
      }
      wishes |= 1u << static_cast<unsigned>(wish);
      const std::uint64_t one = 1;
      [[maybe_unused]] const auto written = ::write(wake.get(), &one, sizeof one);  // full is readable, too
    }
  }
  if (obedient != nullptr) obedient->obey(wish);
}

void RunControl::Impl::grant() {
  unsigned granted = 0;
  engine::Obedient* obedient = nullptr;
  {
    const std::lock_guard lock(mutex);
    std::uint64_t count = 0;
    [[maybe_unused]] const auto size = ::read(wake.get(), &count, sizeof count);
    granted = std::exchange(wishes, 0);
    obedient = run;
  }
  for (const auto wish : {RunWish::finish, RunWish::terminate, RunWish::kill, RunWish::suspend, RunWish::resume}) {
    if ((granted & 1u << static_cast<unsigned>(wish)) != 0) obedient->obey(wish);
  }
}

void RunControl::Impl::attach(engine::Obedient* obedient) {
  const std::lock_guard lock(mutex);
  run = obedient;
  thread = std::this_thread::get_id();
}

Result<RunControl> RunControl::make() {
  auto impl = std::make_unique<Impl>();
  impl->wake = platform::Descriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!impl->wake.is_open()) return platform::system_error("cannot make a control for a run", errno);
  return RunControl(std::move(impl));
}

RunControl::RunControl(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RunControl::RunControl(RunControl&&) noexcept = default;
RunControl& RunControl::operator=(RunControl&&) noexcept = default;
RunControl::~RunControl() = default;

void RunControl::finish() { impl_->wish(RunWish::finish); }
void RunControl::terminate() { impl_->wish(RunWish::terminate); }
void RunControl::kill() { impl_->wish(RunWish::kill); }
void RunControl::suspend() { impl_->wish(RunWish::suspend); }
void RunControl::resume() { impl_->wish(RunWish::resume); }

}  // namespace v1
}  // namespace hakuriver
