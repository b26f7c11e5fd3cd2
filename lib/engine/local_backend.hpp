// The local backend: commands as processes of this machine.
//
// It changes nothing that belongs to the whole process - no signal handler, no mask, no directory, no limit - unless
// `adopt_orphans` is set.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "engine/child_defaults.hpp"
#include "hakuriver/backend.hpp"

namespace hakuriver::engine {

struct LocalOptions {
  ChildDefaults children;
  bool capture = false;  // output arrives as events; else it goes to these two:
  int stdout_fd = 1;
  int stderr_fd = 2;
  bool adopt_orphans = false;  // as RunOptions has it
  std::string run;             // what commands find in HAKURUN_RUN, for that
};

// Each command leads a process group of its own. All of its output that was written before its process ended is told
// before its end; what processes that it left behind write later is told after it, until the run settles.
class LocalBackend : public Backend {
 public:
  static Result<std::unique_ptr<LocalBackend>> make(LocalOptions options);

  // Why orphans are not looked for although the options say so: /proc may be missing.
  const std::optional<Error>& orphans_error() const noexcept;

  // Kills what still runs.
  ~LocalBackend() override;

  BackendTraits traits() const override { return {}; }
  StartAnswer start(const StartOrder& order, BackendEvents& events) override;
  void stop_all(StopHow how) override;
  void stop(std::uint64_t index, StopHow how) override;
  Status watch(int descriptor) override;
  void unwatch(int descriptor) override;
  Status wait(std::optional<MonotonicTime> deadline, BackendEvents& events) override;
  bool settle() override;

 private:
  struct Impl;
  explicit LocalBackend(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hakuriver::engine
