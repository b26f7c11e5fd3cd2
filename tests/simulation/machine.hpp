// A simulated machine: its processes, its disk, and the keeper that starts and watches them.
//
// The keeper follows the contract of hakuriver/keeper.hpp. Its journal outlives it; a machine's crash may cost the
// journal's tail. Whoever restarts adopts what lives and calls the rest unknown.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "hakuriver/node.hpp"
#include "hakuriver/runner/events.hpp"
#include "simulation/surroundings.hpp"

namespace hakuriver::simulation {

class Machine {
 public:
  using Listener = std::function<void(decltype(RunnerEvent::what))>;

  Machine(Surroundings& world, std::string name, NodeFacts facts);

  const std::string& name() const { return name_; }
  const NodeFacts& facts() const { return facts_; }
  bool up() const { return up_; }

  void crash();
  void boot();
  void crash_keeper();
  // The keeper dies and its directory is removed.
  void lose_journal();
  bool lost_journal() const { return lost_journal_; }

  // The agent's side. Messages keep their order; the listener hears what the keeper tells until another take-over.
  void take_over(const runner_effect::TakeKeeperOver& ask, Listener listener);
  void start(const runner_effect::StartAttempt& ask);
  void signal(const runner_effect::SignalAttempt& ask);
  void confirm(std::uint64_t record);
  void hang_up() { ++link_; }

  // Attempts that the keeper knows, and processes that live.
  std::size_t known() const { return keeper_ ? keeper_->attempts.size() : 0; }
  std::size_t living() const;

 private:
  enum class RecordKind { session, taken, intent, started, ended, confirmed };
  struct JournalRecord {
    RecordKind kind;
    KeptAttempt attempt;
    Session session;
    std::string cluster_id;
    Epoch epoch;
    RunId run;
    std::uint64_t confirmed = 0;
  };
  struct Process {
    AttemptKey key;
    std::uint64_t parent = 0;  // the keeper that waits for it, by its number
    bool alive = true;
    bool paused = false;
    microseconds left{0};  // of its life, while paused
    MonotonicTime ends_at;
    Outcome outcome;
    bool obeys_term = true;
    std::uint64_t plan = 0;  // makes earlier plans of its end void
    Resources resources;
    std::optional<std::uint32_t> numa_node;
  };
  struct Kept {
    KeptAttempt listed;
    std::int64_t pid = 0;  // 0: not executed yet
  };
  struct Keeper {
    std::uint64_t number = 0;
    Session session;
    RunId run;
    std::string cluster_id;
    Epoch epoch;
    std::uint64_t confirmed = 0;
    std::uint64_t last_record = 0;
    std::map<AttemptKey, Kept> attempts;
  };

  void to_keeper(std::function<void()> message);
  template <class Event>
  void to_agent(Event event);
  void restart_keeper();
  void replay_journal(Keeper& keeper);
  void begin_session(Keeper& keeper);
  void adopt_or_end(Keeper& keeper);
  void be_taken_over(const runner_effect::TakeKeeperOver& ask);
  KeeperListing listing() const;
  void do_start(const runner_effect::StartAttempt& ask);
  void execute(Kept& kept);
  void do_signal(const runner_effect::SignalAttempt& ask);
  void do_confirm(std::uint64_t record);
  void change(Kept& kept, KeptState state);
  void plan_end(std::int64_t pid, microseconds delay);
  void process_gone(std::int64_t pid);
  void write_end(Keeper& keeper, Kept& kept, Outcome outcome);
  void append(RecordKind kind, const KeptAttempt& attempt);
  void check_resources();
  Process* living_process(AttemptKey key);
  void kill_all_processes();

  Surroundings& world_;
  std::string name_;
  NodeFacts facts_;
  bool up_ = true;
  bool lost_journal_ = false;
  std::uint64_t boot_ = 1;
  std::vector<JournalRecord> journal_;
  std::optional<Keeper> keeper_;
  std::uint64_t keepers_ = 0;
  std::uint64_t journals_ = 0;
  std::map<std::int64_t, Process> processes_;
  std::int64_t last_pid_ = 0;
  std::uint64_t link_ = 0;        // of the agent that asked last
  std::uint64_t heard_link_ = 0;  // that the keeper listens to
  Listener listener_;
  MonotonicTime to_keeper_at_;
  MonotonicTime to_agent_at_;
};

}  // namespace hakuriver::simulation
