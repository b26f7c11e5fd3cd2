// A host that is killed at any instant has kept everything that it acknowledged.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <random>

#include "storage/rigs.hpp"

using namespace hakuriver;
using namespace hakuriver::test;

namespace {

class Writer {
 public:
  explicit Writer(const std::string& database) {
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    const char* const argv[] = {HAKURIVER_STORAGE_WRITER, database.c_str(), nullptr};
    REQUIRE(::posix_spawn(&pid_, argv[0], &actions, nullptr, const_cast<char* const*>(argv), environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    output_ = ends[0];
  }
  ~Writer() { ::close(output_); }

  // The next acknowledgement; false once it is gone.
  bool next(std::uint64_t& commit) const { return ::read(output_, &commit, sizeof commit) == sizeof commit; }
  void kill() const {
    ::kill(pid_, SIGKILL);
    int status = 0;
    REQUIRE(::waitpid(pid_, &status, 0) == pid_);
    CHECK(WIFSIGNALED(status));
  }

 private:
  pid_t pid_ = 0;
  int output_ = -1;
};

}  // namespace

TEST_CASE("what a killed host acknowledged is there") {
  constexpr int kRounds = 12;
  const SqliteRig rig;
  std::mt19937 random(20250418);
  std::uint64_t acknowledged = 0;
  for (int round = 0; round < kRounds; ++round) {
    {
      const Writer writer(rig.path);
      std::uint64_t commit = 0;
      for (auto wait_for = 1 + random() % 40; wait_for > 0; --wait_for) {
        REQUIRE(writer.next(commit));
        CHECK(commit >= acknowledged);
      }
      writer.kill();
      acknowledged = commit + 1;
      while (writer.next(commit)) acknowledged = commit + 1;
    }
    CAPTURE(round);
    const auto store = rig.open();
    const StoredState state = loaded(*store);
    CHECK(state.epoch == Epoch{static_cast<std::uint64_t>(2 * round + 2)});
    // One more may have been committed and not told; each of them is whole.
    CHECK(state.batches.size() - acknowledged <= 1);
    CHECK(state.ends.size() == state.batches.size());
    CHECK(state.assignments.size() == state.batches.size());
    acknowledged = state.batches.size();
  }
}
