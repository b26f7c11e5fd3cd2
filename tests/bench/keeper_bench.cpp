// What the keeper adds to starting a process: N no-op tasks through the keeper against a loop of vfork and exec that
// creates the same two output files. Prints both and the ratios of wall time and of CPU time (of this process, the
// keeper and all children); and the same in cgroups with limits, where they can be made.
//
//   bench_keeper [N] [AT_ONCE]
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "bench/spawn_loop.hpp"
#include "keeper/cgroup.hpp"
#include "keeper/cgroup_probe.hpp"
#include "keeper/client.hpp"
#include "platform/cgroup_limits.hpp"
#include "support/scratch_directory.hpp"

using namespace hakuriver;

namespace {

using Clock = std::chrono::steady_clock;

struct Cost {
  double wall = 0;  // microseconds per task
  double cpu = 0;
};

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

double own_cpu() {
  rusage self{};
  rusage children{};
  ::getrusage(RUSAGE_SELF, &self);
  ::getrusage(RUSAGE_CHILDREN, &children);
  return seconds(self.ru_utime) + seconds(self.ru_stime) + seconds(children.ru_utime) + seconds(children.ru_stime);
}

// The CPU time of a process and its waited-for children, in seconds.
double cpu_of(long pid) {
  const auto stat = test::contents_of("/proc/" + std::to_string(pid) + "/stat");
  const auto close = stat.rfind(')');
  long ticks[4] = {};
  if (close == std::string::npos) return 0;
  std::sscanf(stat.c_str() + close + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld %ld %ld", &ticks[0],
              &ticks[1], &ticks[2], &ticks[3]);
  return static_cast<double>(ticks[0] + ticks[1] + ticks[2] + ticks[3]) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

Cost spawn_loop(const std::string& directory, unsigned count, unsigned at_once) {
  const auto start = Clock::now();
  const double cpu = own_cpu();
  bench::spawn_in_a_loop(HAKURIVER_BENCH_NOOP, directory, count, at_once);
  const std::chrono::duration<double, std::micro> wall = Clock::now() - start;
  return {wall.count() / count, (own_cpu() - cpu) * 1e6 / count};
}

class Bench {
 public:
  Bench(KeeperPort& port, long keeper) : port_(port), keeper_(keeper) {}

  Cost run(const std::string& directory, unsigned count, unsigned at_once, const CgroupParent& cgroup) {
    cgroup_ = cgroup;
    const auto start = Clock::now();
    const double cpu = own_cpu() + cpu_of(keeper_);
    unsigned sent = 0;
    unsigned ended = 0;
    std::uint64_t last = 0;
    KeeperEvents events;
    events.ended = [&](const KeptAttempt& attempt) {
      ++ended;
      last = std::max(last, attempt.record);
      if (attempt.outcome != Outcome{OutcomeKind::exited, 0}) std::fprintf(stderr, "%s\n", attempt.message.c_str());
    };
    while (ended < count) {
      while (sent < count && sent - ended < at_once) send(directory, sent++);
      pollfd ready{port_.descriptor(), POLLIN, 0};
      ::poll(&ready, 1, -1);
      port_.dispatch(events);
      if (ended % 256 == 0 || ended == count) static_cast<void>(port_.confirm(last).has_value());
    }
    const std::chrono::duration<double, std::micro> wall = Clock::now() - start;
    return {wall.count() / count, (own_cpu() + cpu_of(keeper_) - cpu) * 1e6 / count};
  }

 private:
  void send(const std::string& directory, unsigned number) {
    StartRequest request;
    request.key = {TaskId{++next_}, Attempt{1}};
    request.argv = {HAKURIVER_BENCH_NOOP};
    request.environment = {"PATH=/bin"};
    request.working_directory = directory;
    request.stdout_path = directory + "/" + std::to_string(number) + ".out";
    request.stderr_path = directory + "/" + std::to_string(number) + ".err";
    request.millicores = 1000;
    request.memory_bytes = std::uint64_t{64} << 20;
    request.cgroup = cgroup_;
    static_cast<void>(port_.start(request).has_value());
  }

  KeeperPort& port_;
  long keeper_;
  CgroupParent cgroup_;
  std::uint64_t next_ = 1000;
};

// Below this process's own, in version 1; empty where that cannot be.
CgroupParent find_cgroup() {
  const auto own = platform::read_cgroup_directories();
  const auto name = "/hakuriver-bench-" + std::to_string(::getpid());
  if (own.freezer.empty() || own.cpu.empty() || own.cpuacct.empty() || own.memory.empty()) return {};
  const auto probed = keeper::probe_cgroups({"", own.freezer.front() + name, own.cpu.front() + name,
                                             own.cpuacct.front() + name, own.memory.front() + name, false, false},
                                            HAKURIVER_BENCH_NOOP);
  return probed ? *probed : CgroupParent{};
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  const auto count = static_cast<unsigned>(argc > 1 ? std::atoi(argv[1]) : 3000);
  const auto at_once = static_cast<unsigned>(argc > 2 ? std::atoi(argv[2]) : 32);
  const test::ScratchDirectory scratch;
  auto port = keeper::open_keeper({.state_directory = scratch / "state", .keeper_program = HAKURIVER_BENCH_KEEPER});
  if (!port || !(*port)->take_over("bench", Epoch{1})) return std::fputs("no keeper\n", stderr), 1;
  const long keeper = std::atol(test::contents_of(scratch / "state/lock").c_str());
  Bench bench(**port, keeper);
  std::vector<double> wall;
  std::vector<double> cpu;
  std::vector<double> more;
  std::vector<double> more_cpu;
  const auto cgroup = find_cgroup();
  for (int round = 0; round < 7; ++round) {
    const auto fresh = [&](const char* name) {
      const auto path = scratch / (name + std::to_string(round));
      ::mkdir(path.c_str(), 0755);
      return path;
    };
    const auto loop = spawn_loop(fresh("loop"), count, at_once);
    const auto kept = bench.run(fresh("kept"), count, at_once, {});
    wall.push_back(kept.wall / loop.wall);
    cpu.push_back(kept.cpu / loop.cpu);
    std::printf("per task: loop %.1f us, %.1f us CPU; keeper %.1f us, %.1f us CPU\n", loop.wall, loop.cpu, kept.wall,
                kept.cpu);
    if (cgroup.empty()) continue;
    const auto held = bench.run(fresh("held"), count, at_once, cgroup);
    more.push_back(held.wall - kept.wall);
    more_cpu.push_back(held.cpu - kept.cpu);
    std::printf("          in cgroups %.1f us, %.1f us CPU\n", held.wall, held.cpu);
  }
  std::printf("keeper / spawn loop, median of %zu rounds of %u tasks, %u at once: %.2f wall, %.2f CPU\n", wall.size(),
              count, at_once, median(wall), median(cpu));
  std::printf("a cgroup more: %.1f us a task, %.1f us CPU\n", median(more), median(more_cpu));
  ::kill(static_cast<pid_t>(keeper), SIGTERM);
  keeper::remove_parent(cgroup);
  return 0;
}
