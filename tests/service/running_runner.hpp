// A runner service at work on a thread of its own, in a directory of its own, with a host in the same process.
#pragma once

#include <doctest/doctest.h>
#include <stdlib.h>

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "hakuriver/log.hpp"
#include "service/local_caller.hpp"
#include "service/null_keeper.hpp"
#include "service/runner_service.hpp"

namespace hakuriver::test {

class ScratchDirectory {
 public:
  ScratchDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "hakuriver-runner-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~ScratchDirectory() { std::filesystem::remove_all(path); }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  std::string path;
};

class KeptLog final : public LogSink {
 public:
  void write(LogLevel, std::string_view message) override {
    const std::lock_guard lock(mutex_);
    lines_.emplace_back(message);
    changed_.notify_all();
  }
  // False where no line with this part comes in time.
  bool wait_for(std::string_view part) const {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds{20}, [&] { return count_locked(part) > 0; });
  }
  std::size_t count(std::string_view part) const {
    const std::lock_guard lock(mutex_);
    return count_locked(part);
  }

 private:
  std::size_t count_locked(std::string_view part) const {
    std::size_t found = 0;
    for (const auto& line : lines_) found += line.find(part) != std::string::npos ? 1U : 0U;
    return found;
  }

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::vector<std::string> lines_;
};

inline Now read_clocks() {
  using namespace std::chrono;
  const auto micros = [](auto point) { return duration_cast<microseconds>(point.time_since_epoch()).count(); };
  return {{micros(steady_clock::now())}, {micros(system_clock::now())}};
}

inline NodeHealth busy(double percent) {
  NodeHealth health;
  health.cpu_percent = percent;
  return health;
}

inline NodeFacts two_cores() {
  NodeFacts facts;
  facts.millicores = 2000;
  facts.memory_bytes = std::uint64_t{1} << 30;
  facts.numa_nodes = {{0, {0, 1}, std::uint64_t{1} << 30}};
  facts.max_tasks = 8;
  facts.launcher = "none";
  return facts;
}

inline std::unique_ptr<KeeperPort> make_null_keeper() {
  auto keeper =
      service::NullKeeper::open({std::string(32, 'b'), std::string(32, 'c')}, [] { return read_clocks().utc; });
  REQUIRE(keeper);
  return std::move(*keeper);
}

class RunningRunner {
 public:
  explicit RunningRunner(HttpHandler host, std::unique_ptr<KeeperPort> keeper = make_null_keeper()) {
    service::RunnerServiceOptions options;
    options.runner_id = std::string(32, 'd');
    options.facts = two_cores();
    options.policy.first_retry = std::chrono::milliseconds{10};
    options.policy.slowest_retry = std::chrono::milliseconds{50};
    options.world.node = "node1";
    options.world.shared_dir = shared.path;
    options.world.local_temp_dir = shared.path;
    options.world.environment = {{"PATH", "/usr/bin:/bin"}};
    service::RunnerPorts ports;
    ports.keeper = std::move(keeper);
    ports.connect = service::make_local_callers(std::move(host));
    ports.now = read_clocks;
    ports.random = [engine = std::mt19937_64(7)]() mutable { return engine(); };
    ports.health = [] { return busy(12); };
    ports.log = &log;
    auto opened = service::RunnerService::open(std::move(options), std::move(ports));
    REQUIRE(opened);
    service = std::move(*opened);
    thread = std::thread([this] { CHECK(service->serve()); });
  }
  ~RunningRunner() {
    service->stop(RunnerStop::at_once);
    if (thread.joinable()) thread.join();
  }

  ScratchDirectory shared;
  KeptLog log;
  std::unique_ptr<service::RunnerService> service;
  std::thread thread;
};

}  // namespace hakuriver::test
