#include "platform/topology.hpp"

#include <doctest/doctest.h>
#include <sched.h>
#include <stdlib.h>

#include <algorithm>
#include <numeric>
#include <thread>
#include <vector>

#include "support/scratch_directory.hpp"

using namespace hakuriver;
using hakuriver::test::ScratchDirectory;

namespace {

constexpr const char* kTwoPackages = "pack:2 [numa(memory=64GB)] core:8 pu:2";

std::vector<std::uint32_t> range(std::uint32_t first, std::uint32_t count) {
  std::vector<std::uint32_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), first);
  return numbers;
}

// /proc of a machine with 8 GiB whose group may use this much.
void write_unified_machine(const ScratchDirectory& scratch, std::string_view cpu_max, std::string_view memory_max) {
  scratch.write("proc/meminfo", "MemTotal: 8388608 kB\nMemAvailable: 8388608 kB\n");
  scratch.write("proc/self/cgroup", "0::/job\n");
  scratch.write("proc/self/mountinfo", "26 22 0:23 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
  scratch.write("sys/fs/cgroup/job/cpu.max", cpu_max);
  scratch.write("sys/fs/cgroup/job/memory.max", memory_max);
}

}  // namespace

TEST_CASE("this machine's facts hold together") {
  const auto facts = platform::detect_node();
  REQUIRE(facts);
  CHECK(facts->millicores >= 1000);
  CHECK(facts->millicores % 1000 == 0);
  CHECK(facts->memory_bytes > 0);
  CHECK(facts->max_tasks == 16 * facts->millicores / 1000);
  CHECK(facts->launcher == "plain");
  CHECK(!facts->containers);
  REQUIRE(!facts->numa_nodes.empty());
  cpu_set_t mask;
  REQUIRE(::sched_getaffinity(0, sizeof mask, &mask) == 0);
  for (const auto& node : facts->numa_nodes) {
    CHECK(!node.cpus.empty());
    CHECK(std::is_sorted(node.cpus.begin(), node.cpus.end()));
    for (const auto cpu : node.cpus) CHECK(CPU_ISSET(cpu, &mask));
  }
}

TEST_CASE("only the CPUs of the affinity mask count, whichever thread asks") {
  cpu_set_t before;
  REQUIRE(::sched_getaffinity(0, sizeof before, &before) == 0);
  std::uint32_t first = 0;
  while (!CPU_ISSET(first, &before)) ++first;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  REQUIRE(::sched_setaffinity(0, sizeof one, &one) == 0);
  Result<NodeFacts> facts = Error{};
  std::thread([&] {
    ::sched_setaffinity(0, sizeof before, &before);
    facts = platform::detect_node();
  }).join();
  ::sched_setaffinity(0, sizeof before, &before);
  REQUIRE(facts);
  CHECK(facts->millicores == 1000);
  CHECK(facts->max_tasks == 16);
  REQUIRE(facts->numa_nodes.size() == 1);
  CHECK(facts->numa_nodes[0].cpus == std::vector<std::uint32_t>{first});
}

TEST_CASE("a CPU quota is rounded down to whole cores, at least one, and memory is cut to its limit") {
  const ScratchDirectory scratch;
  const auto machine = platform::detect_node();
  REQUIRE(machine);
  write_unified_machine(scratch, "50000 100000", "1073741824");
  auto facts = platform::detect_node({.root = scratch.path()});
  REQUIRE(facts);
  CHECK(facts->millicores == 1000);
  CHECK(facts->memory_bytes == 1073741824);

  write_unified_machine(scratch, "190000 100000", "max");
  facts = platform::detect_node({.root = scratch.path()});
  REQUIRE(facts);
  CHECK(facts->millicores == 1000);
  CHECK(facts->memory_bytes == std::uint64_t{8} << 30);

  write_unified_machine(scratch, "max 100000", "99999999999");
  facts = platform::detect_node({.root = scratch.path()});
  REQUIRE(facts);
  CHECK(facts->millicores == machine->millicores);
  CHECK(facts->memory_bytes == std::uint64_t{8} << 30);
}

TEST_CASE("what the operator says replaces what is found") {
  const auto facts = platform::detect_node({.millicores = 2500, .memory_bytes = 4096, .max_tasks = 3});
  REQUIRE(facts);
  CHECK(facts->millicores == 2500);
  CHECK(facts->memory_bytes == 4096);
  CHECK(facts->max_tasks == 3);
  CHECK(platform::detect_node({.millicores = 2500})->max_tasks == 48);
  CHECK(platform::detect_node({.millicores = 100})->max_tasks == 16);
}

TEST_CASE("a synthetic machine has its nodes, CPUs and memory, and is never bound to") {
  const auto facts = platform::detect_node({.synthetic = kTwoPackages});
  REQUIRE(facts);
  CHECK(facts->millicores == 32000);
  CHECK(facts->max_tasks == 512);
  REQUIRE(facts->numa_nodes.size() == 2);
  CHECK(facts->numa_nodes[0] == NumaNode{0, range(0, 16), 64'000'000'000});
  CHECK(facts->numa_nodes[1].id == 1);
  CHECK(facts->numa_nodes[1].cpus == range(16, 16));
  CHECK(facts->memory_bytes == facts->numa_nodes[0].memory_bytes + facts->numa_nodes[1].memory_bytes);
  CHECK(facts->enforced.empty());
}

TEST_CASE("nodes that share CPUs are kept and their CPUs count once") {
  const auto facts = platform::detect_node({.synthetic = "pack:2 [numa(memory=4GB)] group:2 [numa(memory=1GB)] pu:4"});
  REQUIRE(facts);
  CHECK(facts->numa_nodes.size() == 6);
  CHECK(facts->millicores == 16000);
}

TEST_CASE("a machine without NUMA is one node 0 with everything") {
  const auto facts = platform::detect_node({.synthetic = "core:4 pu:1"});
  REQUIRE(facts);
  REQUIRE(facts->numa_nodes.size() == 1);
  CHECK(facts->numa_nodes[0].id == 0);
  CHECK(facts->numa_nodes[0].cpus == range(0, 4));
  CHECK(facts->numa_nodes[0].memory_bytes == facts->memory_bytes);
}

TEST_CASE("a synthetic machine can be named in the environment") {
  ::setenv("HWLOC_SYNTHETIC", kTwoPackages, 1);
  const auto facts = platform::detect_node();
  ::unsetenv("HWLOC_SYNTHETIC");
  REQUIRE(facts);
  CHECK(facts->numa_nodes.size() == 2);
  CHECK(facts->enforced.empty());
}

TEST_CASE("what is not a topology is one line of error") {
  const auto facts = platform::detect_node({.synthetic = "six cores"});
  REQUIRE(!facts);
  CHECK(facts.error().code == Errc::parse);
  CHECK(facts.error().message == "'six cores' is not a synthetic topology: expected one such as 'numa:2 core:4 pu:1'");
}

TEST_CASE("a machine whose memory cannot be read is an error, not an empty node") {
  const ScratchDirectory scratch;
  CHECK(!platform::detect_node({.root = scratch.path()}));
  scratch.write("proc/meminfo", "nothing\n");
  CHECK(!platform::detect_node({.root = scratch.path()}));
}
