// A host with a database and a port, a runner that connects to it, and a client: what an embedding program links.
#include <stdlib.h>

#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <thread>

#include "hakuriver/client.hpp"
#include "hakuriver/host.hpp"
#include "hakuriver/runner.hpp"

using namespace hakuriver;

namespace {

struct Talk final : LogSink {
  void write(LogLevel, std::string_view line) override { std::cerr << line << "\n"; }
};

int fail(const Error& error) {
  std::cerr << error.message << "\n";
  return 1;
}

int submit_and_wait(const std::string& url) {
  const auto connect = connect_to(url, "");
  if (!connect) return fail(connect.error());
  Client client(*connect);
  const SubmitRequest request{.spec = {.argv = {"sh", "-c", "echo from $HAKURIVER_NODE"}}, .submission_id = "once"};
  auto batch = client.submit(request);
  while (!batch && batch.error().code == Errc::unavailable) batch = client.submit(request);
  if (!batch) return fail(batch.error());
  const auto task = client.wait(task_of(batch->batch, 0), std::chrono::minutes(1));
  if (!task) return fail(task.error());
  const auto output = client.output(task->id, TaskOutput::standard_output);
  if (!output) return fail(output.error());
  std::cout << to_string(task->status) << ": " << *output;
  return task->status == TaskStatus::completed ? 0 : 1;
}

int run(const std::string& directory) {
  const auto log = std::make_shared<Talk>();
  std::filesystem::create_directory(directory + "/shared");
  auto host = Host::open(
      {.listen = {{.port = 0}}, .database = directory + "/cluster.db", .shared_dir = directory + "/shared"}, log);
  if (!host) return fail(host.error());
  if (const auto started = (*host)->start(); !started) return fail(started.error());

  const std::string url = "http://127.0.0.1:" + std::to_string((*host)->ports().front());
  auto runner = Runner::open({.name = "here", .host_url = url, .home = directory, .keeper_program = KEEPER}, log);
  if (!runner) return fail(runner.error());
  std::thread serving([&] { (void)(*runner)->serve(); });
  const int status = submit_and_wait(url);
  (*runner)->stop(RunnerStop::end_tasks);
  serving.join();
  return status;
}

}  // namespace

int main() {
  std::string directory = "/tmp/hakuriver-consumer-XXXXXX";
  if (::mkdtemp(directory.data()) == nullptr) return 1;
  const int status = run(directory);
  std::filesystem::remove_all(directory);
  return status;
}
