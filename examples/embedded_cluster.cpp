// A whole cluster in one process: a host that remembers in memory, a runner, a client, and no socket.
#include <unistd.h>

#include <iostream>
#include <memory>
#include <string>
#include <thread>

#include "hakuriver/client.hpp"
#include "hakuriver/host.hpp"
#include "hakuriver/runner.hpp"

using namespace hakuriver;

struct Quiet final : LogSink {
  void write(LogLevel, std::string_view) override {}
};

int run(const std::string& directory) {
  const auto log = std::make_shared<Quiet>();
  auto host = Host::open({.shared_dir = directory + "/shared"}, log);
  if (!host || !(*host)->start()) return 1;
  auto runner = Runner::open({.name = "here", .connect = (*host)->connect(), .home = directory}, log);
  if (!runner) {
    std::cerr << runner.error().message << "\n";
    return 1;
  }
  std::thread serving([&] { (void)(*runner)->serve(); });

  Client client((*host)->connect());
  const SubmitRequest request{.spec = {.argv = {"echo", "hello from a task"}}, .submission_id = "once"};
  auto batch = client.submit(request);
  while (!batch && batch.error().code == Errc::unavailable)
    batch = client.submit(request);  // until the runner is there
  if (!batch) return 1;
  const auto task = client.wait(task_of(batch->batch, 0), std::chrono::minutes(1));
  if (task) std::cout << to_string(task->status) << ": " << *client.output(task->id, TaskOutput::standard_output);

  (*runner)->stop(RunnerStop::end_tasks);
  serving.join();
  return task && task->status == TaskStatus::completed ? 0 : 1;
}

int main() {
  std::string directory = "/tmp/hakuriver-example-XXXXXX";
  return ::mkdtemp(directory.data()) == nullptr ? 1 : run(directory);
}
