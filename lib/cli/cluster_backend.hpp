// The cluster as a backend: what a run starts becomes one submission, which hakuriver.client makes and follows.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/cluster_client.hpp"
#include "cli/cluster_options.hpp"
#include "cli/submission_log.hpp"
#include "hakuriver/backend.hpp"
#include "hakuriver/command_sweep.hpp"
#include "platform/descriptor.hpp"

namespace hakuriver::cli {

// `environment` and `working_directory` are for the tasks. One thread uses it, as any backend. What is started is
// submitted together when the run has nothing more to start.
class ClusterBackend : public Backend {
 public:
  // The run's plan numbers commands as `sweep` does.
  static Result<std::unique_ptr<ClusterBackend>> make(CommandSweep sweep, ClusterOptions options,
                                                      std::vector<std::string> environment,
                                                      std::string working_directory);
  // Ends its clients; what is submitted goes on.
  ~ClusterBackend() override;

  BackendTraits traits() const override { return {1, true, ~std::uint64_t{0}}; }
  StartAnswer start(const StartOrder& order, BackendEvents& events) override;
  void stop_all(StopHow how) override;
  void stop(std::uint64_t index, StopHow how) override;
  void withdraw() override;
  Status watch(int descriptor) override;
  void unwatch(int descriptor) override;
  Status wait(std::optional<MonotonicTime> deadline, BackendEvents& events) override;
  bool settle() override;

  // Is told a line of each batch that the host has taken, and of those that may go on without this run.
  void on_batch(std::function<void(const std::string& line)> told) { on_batch_ = std::move(told); }

  // The batches that were submitted and have not ended.
  std::vector<std::string> open_batches() const;

 private:
  struct Attempt {
    std::uint64_t index = 0;  // in the plan
    std::uint32_t attempt = 1;
  };
  static constexpr std::uint32_t kNotAwaited = 0;  // the attempt of a task whose end the run knows
  // A submission that is being followed.
  struct Batch {
    std::vector<Attempt> tasks;  // by their index in the batch
    std::string submission;      // our id for it
    std::string id;              // empty: not yet taken
    std::uint64_t ended = 0;
    pid_t client = -1;
    platform::Descriptor lines;
    std::string unread;
    std::uint64_t output_left = 0;  // bytes of output that come before the next line
    std::uint64_t output_task = 0;
    OutputStream output_stream = OutputStream::out;
    std::string_view to_be_asked;  // of the host, once it has taken it
  };

  ClusterBackend(CommandSweep sweep, ClusterOptions options, std::string client);

  Status submit();
  Status attach(const LoggedSubmission& earlier);
  Status follow(Batch batch, const std::string& sweep);
  static std::vector<PlaceRange> places_of(const std::vector<Attempt>& tasks);
  Result<std::string> describe_sweep(std::vector<PlaceRange> places) const;
  std::string describe(const std::string& sweep, const std::string& submission) const;
  Status take_input(Batch& batch, BackendEvents& events);
  Status take_text(Batch& batch, BackendEvents& events);
  Status take_line(Batch& batch, std::string_view line, BackendEvents& events);
  Status finish(Batch& batch);
  void ask_of(Batch& batch, std::string_view option);
  void drop_pending(BackendEvents& events);
  bool may_submit() const noexcept;

  const CommandSweep sweep_;
  const ClusterOptions options_;
  std::vector<std::string> environment_;
  std::string working_directory_;
  ClusterClient client_;
  SubmissionLog log_;
  bool has_log_ = false;  // opened at the first submission, when the run has its joblog
  std::function<void(const std::string&)> on_batch_;
  std::vector<Attempt> pending_;
  std::deque<Batch> batches_;
  std::vector<int> watched_;
  bool is_dropping_ = false;  // nothing more is to be submitted
};

}  // namespace hakuriver::cli
