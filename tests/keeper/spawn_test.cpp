#include "keeper/spawn.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "keeper/cgroup.hpp"
#include "keeper/node.hpp"

using namespace hakuriver;
using namespace hakuriver::test;
using keeper::Cgroup;
using keeper::Descriptor;

namespace {

const AttemptKey kKey{TaskId{7}, Attempt{1}};

// What /proc/self/cgroup says in a child of that plan.
std::string cgroups_of_child(keeper::SpawnPlan plan) {
  const ScratchDirectory scratch;
  const auto path = scratch / "out";
  char name[] = "cat";
  char file[] = "/proc/self/cgroup";
  char* argv[] = {name, file, nullptr};
  char* environment[] = {nullptr};
  const Descriptor output(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  plan.program = "/bin/cat";
  plan.argv = argv;
  plan.environment = environment;
  plan.output = output.get();
  keeper::Spawned spawned;
  keeper::Spawner spawner;
  const auto failure = spawner.spawn_with_signals_blocked(plan, spawned);
  REQUIRE_FALSE(failure.has_value());
  CHECK(spawned.pidfd);
  keeper::await_end(spawned.pid);
  return contents_of(path);
}

struct CgroupOfTwo {
  CgroupParent parent = test_cgroup("2");
  Cgroup cgroup{parent, kKey};

  CgroupOfTwo() {
    int error = 0;
    if (!parent.empty()) REQUIRE(cgroup.make(0, 0, error).has_value());
  }
  ~CgroupOfTwo() {
    if (parent.empty()) return;
    CHECK(eventually([this] { return cgroup.remove(); }));
    keeper::remove_parent(parent);
  }
};

}  // namespace

TEST_CASE("a child is made in a cgroup of version 2, without going there") {
  const CgroupOfTwo two;
  if (two.parent.empty()) return;
  const auto birthplace = two.cgroup.birthplace();
  REQUIRE(birthplace);
  keeper::SpawnPlan plan;
  plan.birthplace = birthplace.get();
  CHECK(cgroups_of_child(std::move(plan)).find("/7.1\n") != std::string::npos);
}

TEST_CASE("a child that cannot be made in a cgroup goes there itself") {
  const CgroupOfTwo two;
  if (two.parent.empty()) return;
  const auto entrances = two.cgroup.entrances();
  REQUIRE(entrances.size() == 1);
  const Descriptor no_cgroup(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  keeper::SpawnPlan plan;
  plan.cgroups.push_back(entrances.front().get());
  plan.birthplace = no_cgroup.get();
  CHECK(cgroups_of_child(std::move(plan)).find("/7.1\n") != std::string::npos);
}

TEST_CASE("a child has the memory for tables of pages while it shares ours, however little its cgroup is given") {
  const auto parent = test_cgroup("1");
  if (parent.empty()) return;
  Cgroup cgroup(parent, kKey);
  int error = 0;
  REQUIRE(cgroup.make(0, 1, error).has_value());
  const auto entrances = cgroup.entrances();
  REQUIRE_FALSE(entrances.empty());
  // Nobody has looked there yet: the child is the first. It reads a null pointer, the end of an empty list.
  constexpr std::size_t kBytes = std::size_t{64} << 20;
  void* const fresh = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(fresh != MAP_FAILED);
  char* none[] = {nullptr};
  keeper::SpawnPlan plan;
  plan.programs = reinterpret_cast<char* const*>(static_cast<std::byte*>(fresh) + kBytes / 2);
  plan.argv = none;
  plan.environment = none;
  for (const auto& entrance : entrances) plan.cgroups.push_back(entrance.get());
  keeper::Spawned spawned;
  keeper::Spawner spawner;
  const auto failure = spawner.spawn_with_signals_blocked(plan, spawned);
  REQUIRE(failure.has_value());
  CHECK(failure->step == keeper::SpawnStep::execute);
  CHECK(failure->error == ENOENT);
  ::munmap(fresh, kBytes);
  CHECK(eventually([&cgroup] { return cgroup.remove(); }));
  keeper::remove_parent(parent);
}

TEST_CASE("cgroups of version 1 have no birthplace") {
  const auto parent = test_cgroup("1");
  if (parent.empty()) return;
  CHECK_FALSE(Cgroup(parent, kKey).birthplace());
  keeper::remove_parent(parent);
}
