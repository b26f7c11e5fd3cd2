// The programs of launchers: children of the keeper that are asked for one verb each, and never waited for.
//
// Trees says in LiveAttempt::controlled what is wanted; this starts the program, ends it when it takes too long, and
// says what came of it.
#pragma once

#include <sys/types.h>

#include <deque>
#include <map>
#include <optional>
#include <string>

#include "hakuriver/time.hpp"
#include "keeper/ledger.hpp"
#include "keeper/spawn.hpp"
#include "keeper/trees.hpp"

namespace hakuriver::keeper {

class Control {
 public:
  // `epoll` outlives it; a child that ends is told by its event data, kCallTag | pid.
  static constexpr std::uint64_t kCallTag = std::uint64_t{1} << 58;
  Control(Ledger& ledger, Trees& trees, int epoll) : ledger_(ledger), trees_(trees), epoll_(epoll) {}

  void on_ready(pid_t pid);
  void work(MonotonicTime now);
  std::optional<MonotonicTime> next_deadline() const;

 private:
  struct Call {
    AttemptKey key;
    Verb verb;
    Descriptor pidfd;
    Descriptor output;
    MonotonicTime until;
  };

  void hurry(AttemptKey key);
  void start_waiting();
  void start(LiveAttempt& attempt);
  bool spawn(const Argv& control, Verb verb, Spawned& spawned, Descriptor& output);
  void ended(AttemptKey key, Verb verb, bool well, std::string output);
  void failed(LiveAttempt& attempt, Verb verb);

  Ledger& ledger_;
  Trees& trees_;
  int epoll_;
  Spawner spawner_;
  std::map<pid_t, Call> calls_;
  std::deque<AttemptKey> waiting_;                  // for one of few places
  std::multimap<MonotonicTime, AttemptKey> later_;  // what failed is asked for again then
};

}  // namespace hakuriver::keeper
