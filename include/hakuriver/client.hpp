// A client: submits tasks to a host, waits for them, and asks about them.
//
//   Client client(host.connect());
//   const auto batch = client.submit({.spec = {.argv = {"echo", "hello"}}});
//   const auto task = client.wait(task_of(batch->batch, 0), std::chrono::minutes(1));
//   std::cout << *client.output(task->id, TaskOutput::standard_output);
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "hakuriver/caller.hpp"
#include "hakuriver/host/events.hpp"
#include "hakuriver/result.hpp"
#include "hakuriver/submit_request.hpp"
#include "hakuriver/views.hpp"

namespace hakuriver {
inline namespace v1 {

// Leads over HTTP to the host at `url`, such as "http://10.0.0.1:8000". The token is hexadecimal; empty: none. Nothing
// is asked yet. Errc::invalid_argument for a URL or a token that cannot be one.
Result<CallerFactory> connect_to(std::string_view url, std::string token);

enum class TaskOutput : std::uint8_t { standard_output = 0, standard_error = 1 };

// One thread uses a client at a time. Every call fails with Errc::unavailable where the host gives no answer, and
// with the host's own code and words where it refuses.
class Client {
 public:
  // To a host in the same process (Host::connect), or elsewhere (connect_to).
  explicit Client(const CallerFactory& connect);
  ~Client();
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;

  // With a submission id in the request it may be repeated without harm. Nothing was accepted where it fails.
  Result<SubmitAnswer> submit(const SubmitRequest& request);

  Result<TaskView> task(TaskId id);
  // The task when it is final, or as it is after `at_most`.
  Result<TaskView> wait(TaskId id, std::chrono::milliseconds at_most);
  Result<BatchView> batch(BatchId id);
  // The batch when all its tasks are final, or as it is after `at_most`.
  Result<BatchView> wait(BatchId id, std::chrono::milliseconds at_most);

  // What the task has written so far, at most 64 MiB of it.
  Result<std::string> output(TaskId id, TaskOutput which);

  // Asks for the end of a task, or of every task of a batch.
  Result<CommandAnswer> kill(TaskId id);
  Result<CommandAnswer> kill(BatchId id);

  Result<std::vector<NodeView>> nodes();

 private:
  std::unique_ptr<HttpCaller> caller_;
};

}  // namespace v1
}  // namespace hakuriver
