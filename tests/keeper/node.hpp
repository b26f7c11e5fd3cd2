// A node for tests: a directory of its own, a keeper in it, and an agent that remembers what it was told.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "hakuriver/keeper.hpp"
#include "keeper/client.hpp"
#include "support/scratch_directory.hpp"

namespace hakuriver::test {

// Calls `ready` until it is true, for at most a minute; for things that tell nobody when they happen.
bool eventually(const std::function<bool()>& ready);

inline bool exists(const std::string& path) { return std::filesystem::exists(path); }
inline void write_file(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

// The state letter of /proc/PID/stat; '-' where there is no such process.
char process_state(pid_t pid);
inline bool is_gone(pid_t pid) { return process_state(pid) == '-' || process_state(pid) == 'Z'; }

// A parent of this test's own in cgroups of version "1" or "2"; of version 2 only what needs no controllers, where
// those belong to version 1. Empty, with a word of why, where no cgroup can be made; with HAKURIVER_NO_SKIP in the
// environment that fails the test. Empty for a null pointer.
CgroupParent test_cgroup(const char* version);

struct NodeOptions {
  std::string keeper_program{};   // empty: the real one
  std::string state_directory{};  // empty: one of its own
  long linger_ms = 10000;
  CgroupParent cgroup = test_cgroup(std::getenv("HAKURIVER_TEST_CGROUP"));  // where requests want theirs
};

class Node {
 public:
  explicit Node(NodeOptions options = {});
  // Ends every task and the keeper.
  ~Node();

  // Takes the keeper over, starting one if need be; what is known afterwards is what the listing says.
  Result<KeeperListing> connect(const std::string& cluster = "cluster", Epoch epoch = {1});
  // The same with a keeper that is started now and dies when it gets to that point ("NAME:TIMES"); the next one lives.
  // Only keeper_with_crash_points does.
  Result<KeeperListing> connect_to_die_at(const std::string& point);
  // As if this agent were killed.
  void lose_agent();
  // Kills the keeper and waits until it is gone.
  void kill_keeper();
  pid_t keeper_pid() const;

  // A request that runs `argv`, with outputs in out_directory() and a small environment.
  StartRequest request(std::uint64_t number, Argv argv) const;
  StartRequest shell(std::uint64_t number, const std::string& script) const {
    return request(number, {"/bin/sh", "-c", script});
  }
  AttemptKey key(std::uint64_t number) const { return {TaskId{base_ + number}, Attempt{1}}; }

  KeeperPort& port() { return *port_; }
  // Dispatches until `done`; false after a minute.
  bool wait(const std::function<bool()>& done);
  // Starts and waits for the end.
  KeptAttempt run(const StartRequest& request);
  void start(const StartRequest& request);
  KeptAttempt wait_for_end(std::uint64_t number);
  // The process id that a task wrote into a file by that name in out_directory().
  pid_t wait_for_pid(const std::string& name);
  std::string output(std::uint64_t number) const { return contents_of(out_path(number)); }
  std::string out_path(std::uint64_t number) const { return out_directory() + "/" + std::to_string(number) + ".out"; }
  std::string out_directory() const { return scratch_ / "out"; }
  const CgroupParent& cgroup() const { return options_.cgroup; }
  // By a signal, or where there are cgroups by the freezer.
  bool is_stopped(pid_t pid) const;
  std::string state_directory() const { return options_.state_directory; }

  // By number of the task.
  std::map<std::uint64_t, KeptAttempt> started;
  std::map<std::uint64_t, KeptAttempt> ended;
  std::vector<KeptAttempt> changed;
  std::vector<Error> gone;
  std::size_t events = 0;

 private:
  ScratchDirectory scratch_;
  NodeOptions options_;
  std::uint64_t base_;
  std::unique_ptr<KeeperPort> port_;
};

}  // namespace hakuriver::test
