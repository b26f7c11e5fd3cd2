// The keeper's loop: one thread that waits for its agent, its children and its deadlines.
#pragma once

#include <sys/resource.h>

#include <chrono>
#include <vector>

#include "keeper/agent_link.hpp"
#include "keeper/control.hpp"
#include "keeper/ledger.hpp"
#include "keeper/starter.hpp"
#include "keeper/trees.hpp"

namespace hakuriver::keeper {

struct KeeperSetup {
  Descriptor listener;                      // bound, listening, non-blocking
  rlimit open_files{};                      // what tasks get
  std::chrono::milliseconds linger{10000};  // how long it stays with nothing to do and nobody there
};

class Keeper {
 public:
  Keeper(KeeperSetup setup, Ledger& ledger);

  // Takes up what an earlier keeper left running, then serves until there is nothing to do and nobody there.
  // io where the kernel refuses what the keeper cannot do without.
  Status run();

 private:
  void take_up_earlier();
  void take_up(UnendedAttempt record, ProcessTable& table);
  void find_main_of(UnendedAttempt& record, const Cgroup& cgroup, ProcessTable& table);
  void watch_main(LiveAttempt& attempt);
  Status wait(MonotonicTime now);
  void on_signals();
  void obey_commands();
  void start_all(std::vector<StartRequest>& requests);
  std::optional<StartFailure> make_cgroup(const StartRequest& request, LiveAttempt& attempt);
  Status meet(const CgroupParent& parent);
  std::optional<StartFailure> open_report(const StartRequest& request, LiveAttempt& attempt, Descriptor& end);
  static void begin_quota(const LiveAttempt& attempt);
  void start_one(const StartRequest& request, LiveAttempt& attempt);
  void commit();
  bool is_time_to_go(MonotonicTime now);

  KeeperSetup setup_;
  Ledger& ledger_;
  Descriptor epoll_;
  Descriptor signals_;
  Trees trees_;
  Starter starter_;
  Control control_;
  AgentLink link_;
  std::optional<MonotonicTime> idle_since_;
  std::optional<MonotonicTime> guests_until_;
  std::optional<MonotonicTime> commit_again_;  // the last one failed
  std::vector<CgroupParent> parents_;          // of the cgroups that were made
};

}  // namespace hakuriver::keeper
