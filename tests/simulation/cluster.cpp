#include "simulation/cluster.hpp"

#include <algorithm>
#include <utility>

namespace hakuriver::simulation {
namespace {

constexpr microseconds kPatience = 600s;  // with no task becoming final, once nothing fails any more

NodeFacts draw_facts(Random& random) {
  NodeFacts facts;
  facts.millicores = 4000;
  facts.memory_bytes = 6000;
  facts.numa_nodes = {{0, {0, 1, 2}, 3000}, {1, {3, 4, 5}, 3000}};
  facts.max_tasks = static_cast<std::uint32_t>(4 + random.below(5));
  return facts;
}

}  // namespace

Cluster::Cluster(std::uint64_t seed, Mutation mutation, bool trace) : world_(seed, mutation, trace), host_(world_) {
  std::vector<std::string> names;
  const std::uint64_t count = world_.profile.unnoticed_restores ? 1 : 1 + world_.random.below(4);
  for (std::uint64_t i = 1; i <= count; ++i) {
    names.push_back("node" + std::to_string(i));
    Node node;
    node.machine = std::make_unique<Machine>(world_, names.back(), draw_facts(world_.random));
    node.agent = std::make_unique<Agent>(world_, host_, *node.machine);
    nodes_.push_back(std::move(node));
  }
  clients_ = std::make_unique<Clients>(world_, host_, std::move(names));
  world_.history.on_violation = [this] { world_.scheduler.stop(); };
}

void Cluster::cause_trouble() {
  if (!world_.faults_on) return;
  Random& random = world_.random;
  const FaultProfile& profile = world_.profile;
  if (profile.host_crashes && random.chance(0.3)) {
    host_.crash();
    world_.scheduler.after(random.between(10ms, 20s), [this] { host_.start(); });
  }
  if (profile.clock_steps && random.chance(0.3)) {
    world_.utc_offset += random.between(0s, 7200s).count() - 3'600'000'000;
  }
  if (profile.restores && random.chance(0.3) && !world_.history.was_restored()) restore_later();
  if (random.chance(0.1)) accept_proved_restore();
  trouble_for_node(nodes_[random.below(nodes_.size())]);
  world_.scheduler.after(random.between(10ms, 2 * profile.pause_between), [this] { cause_trouble(); });
}

void Cluster::restore_later() {
  const bool unnoticed = world_.profile.unnoticed_restores;
  if (unnoticed && world_.history.executions() == 0) return;
  host_.take_copy();
  world_.scheduler.after(world_.random.between(0s, 20s), [this, unnoticed, before = world_.history.executions()] {
    if (!world_.faults_on || world_.history.was_restored()) return;
    if (!unnoticed) return host_.start_from_copy();
    if (before < world_.history.executions()) host_.start_from_copy_unnoticed();
  });
}

void Cluster::accept_proved_restore() {
  if (host_.up() && host_.state().superseded) host_.accept_restore();
}

void Cluster::trouble_for_node(Node& node) {
  Random& random = world_.random;
  const FaultProfile& profile = world_.profile;
  Machine* machine = node.machine.get();
  Agent* agent = node.agent.get();
  const auto restart = [this, agent] {
    world_.scheduler.after(world_.random.between(1ms, 30s), [agent] { agent->start(); });
  };
  const std::uint64_t which = random.below(7);
  if (which == 0 && profile.agent_crashes) {
    agent->crash();
    restart();
  }
  if (which == 1 && profile.agent_stops) {
    agent->stop(random.chance(0.2));
    restart();
  }
  if (which == 2 && profile.keeper_crashes) machine->crash_keeper();
  if (which == 3 && profile.machine_crashes) {
    agent->crash();
    machine->crash();
    world_.scheduler.after(random.between(100ms, 30s), [machine, agent] {
      machine->boot();
      agent->start();
    });
  }
  if (which == 4 && profile.partitions) {
    agent->link().part(true);
    world_.scheduler.after(random.between(100ms, 40s), [agent] { agent->link().part(false); });
  }
  if (which == 5 && profile.journal_losses) machine->lose_journal();
  if (which == 6 && profile.facts_change) agent->change_facts();
}

// The end of all faults. Where a journal was lost only a reboot can tell that its tasks are over.
void Cluster::heal() {
  world_.trace.say("---------- the faults end");
  world_.faults_on = false;
  host_.start();
  for (auto& node : nodes_) {
    if (node.machine->lost_journal()) {
      node.agent->crash();
      node.machine->crash();
    }
    node.agent->link().part(false);
    node.machine->boot();
    node.agent->start();
  }
  clients_->tidy_up();
}

bool Cluster::at_rest() const {
  if (!host_.up() || host_.state().superseded || !clients_->content()) return false;
  for (const auto& node : nodes_) {
    if (!node.agent->up() || node.agent->state().stop_by) return false;
  }
  return std::all_of(host_.state().batches.begin(), host_.state().batches.end(),
                     [](const auto& each) { return unfinished(each) == 0; });
}

// Only people can tell what became of tasks that ended after the copy was taken.
void Cluster::give_up_lost() {
  std::vector<Accepted> batches;
  if (!host_.up() || !world_.random.chance(0.05)) return;
  for (const Batch& batch : host_.state().batches) {
    if (unfinished(batch) > 0) batches.push_back({batch.id, batch.count, {}});
  }
  clients_->give_up(batches);
}

// Waits for as long as tasks become final now and then.
void Cluster::watch_end(std::uint64_t finals, MonotonicTime deadline) {
  for (auto& node : nodes_) {
    if (!node.agent->up()) node.agent->start();
  }
  if (at_rest() || deadline < world_.scheduler.now()) {
    // A submission that was late on its way may arrive even now, and be news to a restored host.
    world_.scheduler.after(60s, [this, finals, deadline] {
      if (at_rest() || deadline < world_.scheduler.now()) return stop_when_idle();
      watch_end(finals, deadline);
    });
    return;
  }
  accept_proved_restore();
  if (world_.history.was_restored()) give_up_lost();
  const std::uint64_t now_final = world_.history.finals();
  const MonotonicTime next = now_final == finals ? deadline : world_.scheduler.now() + kPatience;
  world_.scheduler.after(1s, [this, now_final, next] { watch_end(now_final, next); });
}

void Cluster::stop_when_idle() {
  if (!host_.busy()) return world_.scheduler.stop();
  world_.scheduler.after(1ms, [this] { stop_when_idle(); });
}

// Nothing may be left over anywhere once all tasks are final.
void Cluster::check_tidiness() {
  const auto check = [this](bool good, const std::string& what) {
    if (!good) world_.history.violation("liveness: long after the last task " + what);
  };
  check(clients_->content(), "a submission has no answer");
  check(host_.waiters() <= nodes_.size(), "somebody still waits for an answer of the host");
  for (const auto& node : host_.state().nodes) {
    if (node.presence == Presence::gone) continue;
    check(node.presence == Presence::online, "node '" + node.name + "' is not online");
    check(node.use == NodeUse{}, "node '" + node.name + "' has something reserved");
    check(node.outbox.empty(), "node '" + node.name + "' has not taken its orders");
  }
  for (const auto& node : nodes_) {
    const std::string name = "node '" + node.machine->name() + "' ";
    check(node.agent->up() && node.agent->state().phase == RunnerPhase::registered, name + "has no registered agent");
    // Tasks of batches that came after the copy are left alone, for ever where they are paused.
    if (!node.agent->up() || world_.history.was_restored()) continue;
    check(node.agent->state().attempts.empty() && node.agent->state().queued == 0, name + "has an agent with tasks");
    check(node.agent->state().events.empty(), name + "has something to tell");
    check(node.machine->known() == 0, name + "has a keeper with unconfirmed records");
    check(node.machine->living() == 0, name + "has processes");
  }
}

Findings Cluster::run() {
  host_.start();
  for (auto& node : nodes_) {
    world_.scheduler.after(world_.random.between(0us, 5s), [agent = node.agent.get()] { agent->start(); });
  }
  clients_->start();
  cause_trouble();
  world_.scheduler.after(world_.random.between(30s, 120s), [this] {
    heal();
    watch_end(0, world_.scheduler.now() + kPatience);
  });
  world_.scheduler.run_until(MonotonicTime{36'000'000'000});
  if (world_.history.violations().empty()) {
    world_.history.ended(host_.state());
    if (world_.history.violations().empty()) check_tidiness();
  }
  return {world_.history.violations(), world_.history.executions(), world_.history.finals(),
          static_cast<std::uint64_t>(world_.scheduler.now().microseconds / 1'000'000)};
}

}  // namespace hakuriver::simulation
