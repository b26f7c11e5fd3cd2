// What starting commands costs a program of a given size: bench_launch PROGRAM COUNT MEBIBYTES prints the CPU time of
// one start, run_sweep's and its child's, in microseconds.
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "hakuriver/run_sweep.hpp"

namespace {

using namespace hakuriver;

class SameCommand : public Plan {
 public:
  SameCommand(std::string program, std::uint64_t size) : program_(std::move(program)), size_(size) {}
  std::uint64_t size() const override { return size_; }
  Command at(std::uint64_t) const override {
    Command command;
    command.argv = {program_};
    return command;
  }

 private:
  std::string program_;
  std::uint64_t size_;
};

double cpu_microseconds() {
  double sum = 0;
  for (const int who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage used{};
    ::getrusage(who, &used);
    for (const timeval& part : {used.ru_utime, used.ru_stime}) {
      sum += static_cast<double>(part.tv_sec) * 1e6 + static_cast<double>(part.tv_usec);
    }
  }
  return sum;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return std::fputs("usage: bench_launch PROGRAM COUNT MEBIBYTES\n", stderr), 2;
  const std::uint64_t count = std::strtoull(argv[2], nullptr, 10);
  const std::vector<char> ballast(std::strtoull(argv[3], nullptr, 10) * 1024 * 1024, 'x');
  const double before = cpu_microseconds();
  const auto summary = run_sweep(SameCommand(argv[1], count), RunOptions{});
  const double after = cpu_microseconds();
  if (!summary || summary->succeeded != count) return std::fputs("bench_launch: it did not run\n", stderr), 1;
  std::printf("%.2f\n", (after - before) / static_cast<double>(count));
  return ballast.empty() || ballast.back() == 'x' ? 0 : 1;
}
