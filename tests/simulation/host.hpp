// The host's process: the real decisions, around a store that may fail and a process that may die at any step.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "hakuriver/host/recovery.hpp"
#include "hakuriver/host/transition.hpp"
#include "simulation/memory_store.hpp"
#include "simulation/surroundings.hpp"

namespace hakuriver::simulation {

// Somebody who waits for the host's answer: exactly one of these happens, once.
struct Waiter {
  std::function<void(const HostAction&)> answered;
  std::function<void()> unavailable;  // the host says that it could not commit
  std::function<void()> broken;       // the host died
};

class Host {
 public:
  explicit Host(Surroundings& world);

  bool up() const { return state_.has_value(); }
  const HostState& state() const { return *state_; }
  std::shared_ptr<const TaskSpec> spec(BatchId batch) const { return store_.spec(batch); }
  bool busy() const { return busy_; }
  std::size_t waiters() const { return waiters_.size(); }

  void start();
  void crash();
  void take_copy() { store_.take_copy(); }
  // Starts with the copy, and with the operator's word that it is one.
  void start_from_copy();
  // Starts with the copy as if it were the latest; the operator's word comes later, or never.
  void start_from_copy_unnoticed();
  void accept_restore();
  void receive(decltype(HostEvent::what) what, Waiter waiter);

 private:
  void tick();
  void begin_turn();
  void take(const HostEvent& event);
  void plant(const HostEvent& event);
  void end_turn();
  void fail_commit();
  void perform(const std::vector<HostAction>& actions);
  void answer(ReplyToken token, const HostAction& action);
  void reload(bool superseded = false);
  void begin();

  Surroundings& world_;
  HostPolicy policy_;
  MemoryStore store_;
  std::optional<HostState> state_;
  std::uint64_t life_ = 0;
  bool busy_ = false;
  std::vector<HostEvent> inbox_;
  Decisions decisions_;
  std::map<std::uint64_t, Waiter> waiters_;
  std::uint64_t last_token_ = 0;
};

}  // namespace hakuriver::simulation
