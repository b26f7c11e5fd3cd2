// What the keeper knows of its attempts, and the journal that remembers it.
//
// What happened becomes an event for the agent only after it is in the journal: commit() writes what is pending and
// hands the events out.
#pragma once

#include <sys/types.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "hakuriver/keeper.hpp"
#include "keeper/cgroup.hpp"
#include "keeper/control_words.hpp"
#include "keeper/descriptor.hpp"
#include "keeper/journal.hpp"
#include "keeper/protocol.hpp"
#include "keeper/start_report.hpp"

namespace hakuriver::keeper {

// How far the end of an attempt is.
enum class Ending : std::uint8_t {
  none = 0,
  terminating = 1,  // TERM was sent; KILL follows at `kill_at`
  killing = 2,      // KILL until nothing is left
};

// What has to be done with the attempt's processes when /proc is read next.
enum class Todo : std::uint8_t { nothing = 0, look, terminate, kill, pause, resume };

// An attempt that has not ended. Its tree fields belong to Trees.
struct LiveAttempt {
  UnendedAttempt record;  // what the journal says of it
  Descriptor pidfd;       // of its main process; closed when that has ended
  Cgroup cgroup;          // none, where none was asked for
  CgroupCounts counted;   // of it, when it was removed
  bool ours = true;       // a child of this keeper, so that its status can be read
  bool paused = false;
  bool tell_change = false;  // the agent waits to hear that it is paused, or runs again
  Todo again = Todo::look;   // what the timer asks for while nothing is being ended

  bool main_ended = false;
  Ending ending = Ending::none;
  Todo todo = Todo::nothing;
  MonotonicTime kill_at;
  std::optional<MonotonicTime> timer;
  std::uint32_t kills = 0;        // rounds of KILL so far
  std::uint32_t empty_looks = 0;  // in a row
  std::vector<pid_t> signaled;    // by what is being done
  std::vector<pid_t> adopted;     // children of the keeper that belong to it
  std::string left_behind;        // names of what outlived the main process
  std::size_t left_count = 0;
  std::unique_ptr<StartReport> report;     // none, where nobody tells of the start
  std::unique_ptr<Controlled> controlled;  // none, where there is no launcher's program

  AttemptKey key() const { return record.key; }
  pid_t pid() const { return static_cast<pid_t>(record.pid); }
};

struct KeyHash {
  std::size_t operator()(const AttemptKey& key) const noexcept {
    return std::hash<std::uint64_t>{}(key.task.value * 31 + key.attempt.value);
  }
};

struct AttemptEvent {
  FrameType type;
  KeptAttempt attempt;
};

class Ledger {
 public:
  Ledger(Journal journal, JournalContent content);

  // What the journal says of attempts that this keeper did not start; empty after the first call.
  std::vector<UnendedAttempt> take_unended() { return std::move(unended_); }

  bool knows(AttemptKey key) const { return live_.contains(key) || ended_keys_.contains(key); }
  LiveAttempt* find(AttemptKey key);
  LiveAttempt* find_main(pid_t pid);
  const std::unordered_map<AttemptKey, std::unique_ptr<LiveAttempt>, KeyHash>& live() const { return live_; }
  bool is_idle() const { return live_.empty() && ended_.empty(); }

  // A new run of an agent; denied or conflict as KeeperPort::take_over says.
  Result<RunId> begin_run(const std::string& cluster_id, Epoch epoch);
  KeeperListing listing() const;  // without its attempts
  std::vector<KeptAttempt> attempts() const;

  // Writes the intents of all these. Where that fails none is written and errno is in the Error's place.
  Status intend(const std::vector<UnendedAttempt>& attempts, int& error);
  LiveAttempt& add(UnendedAttempt record);    // known from now on, without a process
  void record_started(LiveAttempt& attempt);  // its pid is set; told, unless a report says when
  void remember_main(LiveAttempt& attempt) { mains_[attempt.pid()] = &attempt; }
  void record_asked(LiveAttempt& attempt, std::chrono::milliseconds grace);
  void record_changed(LiveAttempt& attempt);  // paused or running again
  void tell_started(const LiveAttempt& attempt) { tell(FrameType::started, kept(attempt)); }
  void record_timed_out(LiveAttempt& attempt);
  void record_main_ended(LiveAttempt& attempt, std::int32_t wait_status);
  void record_held(LiveAttempt& attempt, bool held);
  void record_unit(LiveAttempt& attempt, const UnitCgroup& cgroup);
  // Ends an attempt: numbered, journaled, told. `attempt` is gone afterwards.
  void end(LiveAttempt& attempt, Outcome outcome, Usage usage, std::string message);
  void confirm(std::uint64_t record);

  // A main process that is no longer to be found by its id.
  void forget_main(pid_t pid) { mains_.erase(pid); }

  // Writes what is pending, and gives what may be told now. Where writing fails, nothing may be told yet.
  Status commit(std::vector<AttemptEvent>& events);

  const Session& session() const { return session_; }

 private:
  void flush_early();
  Status write_run(RunId run, const std::string& cluster_id, Epoch epoch);
  Status begin_anew(RunId run, const std::string& cluster_id, Epoch epoch);
  KeptAttempt kept(const LiveAttempt& attempt) const;
  JournalContent content() const;
  void tell(FrameType type, KeptAttempt attempt) { events_.push_back({type, std::move(attempt)}); }
  void compact_if_due();

  Journal journal_;
  Session session_;
  RunId run_;
  std::string cluster_id_;
  Epoch epoch_;
  std::uint64_t confirmed_ = 0;
  std::uint64_t last_record_ = 0;
  std::size_t compact_at_ = 0;  // size of the journal
  std::vector<UnendedAttempt> unended_;
  std::unordered_map<AttemptKey, std::unique_ptr<LiveAttempt>, KeyHash> live_;
  std::unordered_map<pid_t, LiveAttempt*> mains_;
  std::deque<KeptAttempt> ended_;  // by record, from confirmed_ + 1
  std::unordered_map<AttemptKey, std::uint64_t, KeyHash> ended_keys_;
  std::vector<AttemptEvent> events_;
};

}  // namespace hakuriver::keeper
