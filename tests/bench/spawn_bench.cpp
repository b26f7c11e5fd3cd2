// The spawn loop as a program: bench_spawn NOOP DIRECTORY COUNT AT_ONCE prints its makespan in seconds.
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "bench/spawn_loop.hpp"

int main(int argc, char** argv) {
  if (argc != 5) return std::fputs("usage: bench_spawn NOOP DIRECTORY COUNT AT_ONCE\n", stderr), 2;
  const auto number = [argv](int index) { return static_cast<unsigned>(std::strtoul(argv[index], nullptr, 10)); };
  const auto start = std::chrono::steady_clock::now();
  hakuriver::bench::spawn_in_a_loop(argv[1], argv[2], number(3), number(4));
  const std::chrono::duration<double> makespan = std::chrono::steady_clock::now() - start;
  std::printf("%.6f\n", makespan.count());
  return 0;
}
