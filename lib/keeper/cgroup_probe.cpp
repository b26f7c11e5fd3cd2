#include "keeper/cgroup_probe.hpp"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "keeper/cgroup.hpp"
#include "keeper/clocks.hpp"
#include "keeper/spawn.hpp"

namespace hakuriver::keeper {
namespace {

constexpr AttemptKey kNobody{TaskId{0}, Attempt{0}};
constexpr std::uint64_t kSomeCores = 1000;
constexpr std::uint64_t kSomeMemory = std::uint64_t{64} << 20;
constexpr int kLooks = 200;
constexpr timespec kNap{0, 1'000'000};

Status run_in(const Cgroup& cgroup, const std::string& program) {
  const auto entrances = cgroup.entrances();
  const auto birthplace = cgroup.birthplace();
  if (entrances.empty()) return io_error("entering a cgroup", errno);
  const Descriptor null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) return io_error("/dev/null", errno);
  char* argv[] = {const_cast<char*>(program.c_str()), nullptr};
  char* environment[] = {nullptr};
  SpawnPlan plan;
  plan.program = program.c_str();
  plan.argv = argv;
  plan.environment = environment;
  plan.input = plan.output = plan.error = null.get();
  for (const auto& entrance : entrances) plan.cgroups.push_back(entrance.get());
  plan.birthplace = birthplace.get();
  Spawned spawned;
  Spawner spawner;
  const auto failure = spawner.spawn_with_signals_blocked(plan, spawned);
  if (failure) return io_error(failure->step == SpawnStep::cgroup ? "entering a cgroup" : program, failure->error);
  await_end(spawned.pid);
  return Unit{};
}

// The kernel may need a moment until the last process that has ended is out of it.
bool remove_patiently(Cgroup& cgroup) {
  for (int look = 0; look < kLooks; ++look) {
    if (cgroup.remove()) return true;
    ::nanosleep(&kNap, nullptr);
  }
  return false;
}

bool can_limit(CgroupParent parent, bool cores, bool memory) {
  parent.limits_cores = cores;
  parent.limits_memory = memory;
  Cgroup cgroup(std::move(parent), kNobody);
  int error = 0;
  const auto made = cgroup.make(kSomeCores, kSomeMemory, error);
  return remove_patiently(cgroup) && made.has_value();
}

Status probe(CgroupParent& parent, const std::string& program) {
  parent.limits_cores = (!parent.unified.empty() || !parent.cpu.empty()) && can_limit(parent, true, false);
  parent.limits_memory = (!parent.unified.empty() || !parent.memory.empty()) && can_limit(parent, false, true);
  Cgroup cgroup(parent, kNobody);
  int error = 0;
  auto done = cgroup.make(kSomeCores, kSomeMemory, error);
  if (done) done = run_in(cgroup, program);
  if (done && (!cgroup.freeze(true) || !cgroup.freeze(false))) done = Error{Errc::io, "a cgroup cannot be frozen"};
  if (!remove_patiently(cgroup) && done) done = Error{Errc::io, "a cgroup cannot be removed"};
  return done;
}

}  // namespace

Result<CgroupParent> probe_cgroups(CgroupParent parent, const std::string& program) {
  auto done = make_parent(parent);
  if (done) done = probe(parent, program);
  remove_parent(parent);  // the keeper makes it when it needs it
  if (!done) return done.error();
  return parent;
}

}  // namespace hakuriver::keeper
