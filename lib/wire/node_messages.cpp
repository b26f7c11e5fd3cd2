#include "wire/node_messages.hpp"

#include <algorithm>
#include <span>

#include "wire/json_text.hpp"
#include "wire/members.hpp"
#include "wire/node_events.hpp"
#include "wire/task_spec.hpp"

namespace hakuriver::wire {
namespace {

// The members that several messages share.
template <class M>
constexpr Member<M> kNode{"node", [](Scanner& in, M& m) { m.node = in.text(); }};
template <class M>
constexpr Member<M> kRunnerId{"runner_id", [](Scanner& in, M& m) { m.runner_id = in.text(); }};
template <class M>
constexpr Member<M> kEpoch{"epoch", [](Scanner& in, M& m) { m.epoch.value = in.u64(); }};
template <class M>
constexpr Member<M> kRun{"run", [](Scanner& in, M& m) { m.run.value = in.u64(); }};
template <class M>
constexpr Member<M> kChallenge{"challenge", [](Scanner& in, M& m) { m.challenge = in.u64(); }};
template <class M>
constexpr Member<M> kConfirmed{"confirmed", [](Scanner& in, M& m) { m.confirmed = in.u64(); }};

constexpr Member<Hello> kHello[] = {
    {"version", [](Scanner& in, Hello& m) { m.version = in.u32(); }},
    kNode<Hello>,
    kRunnerId<Hello>,
    {"epoch_seen", [](Scanner& in, Hello& m) { m.epoch_seen.value = in.u64(); }, false}};

constexpr Member<Introduction> kIntroduction[] = {
    {"cluster_id", [](Scanner& in, Introduction& m) { m.cluster_id = in.text(); }},
    kEpoch<Introduction>,
    kChallenge<Introduction>};

constexpr Member<NumaNode> kNumaNode[] = {
    {"id", [](Scanner& in, NumaNode& m) { m.id = in.u32(); }},
    {"cpus",
     [](Scanner& in, NumaNode& m) {
       for (in.enter_array(); in.next_item(); m.cpus.push_back(in.u32())) {
         if (m.cpus.size() == kMaxCpusPerNumaNode) in.fail("fewer CPUs");
       }
     }},
    {"memory_bytes", [](Scanner& in, NumaNode& m) { m.memory_bytes = in.u64(); }}};

void read_numa_nodes(Scanner& in, NodeFacts& facts) {
  for (in.enter_array(); in.next_item();) {
    if (facts.numa_nodes.size() == kMaxNumaNodes) return in.fail("fewer NUMA nodes");
    read_members<NumaNode>(in, facts.numa_nodes.emplace_back(), kNumaNode);
  }
}

void read_enforced(Scanner& in, NodeFacts& facts) {
  for (in.enter_array(); in.next_item(); facts.enforced.push_back(in.text())) {
    if (facts.enforced.size() == 16) in.fail("fewer words");
  }
}

void read_users(Scanner& in, NodeFacts& facts) {
  for (in.enter_array(); in.next_item(); facts.users.push_back(in.text())) {
    if (facts.users.size() == kMaxOfferedUsers) in.fail("fewer users");
  }
}

constexpr Member<NodeFacts> kFacts[] = {
    {"millicores", [](Scanner& in, NodeFacts& m) { m.millicores = in.u64(); }},
    {"memory_bytes", [](Scanner& in, NodeFacts& m) { m.memory_bytes = in.u64(); }},
    {"numa_nodes", read_numa_nodes},
    {"launcher", [](Scanner& in, NodeFacts& m) { m.launcher = in.text(); }},
    {"enforced", read_enforced},
    {"containers", [](Scanner& in, NodeFacts& m) { m.containers = in.flag(); }, false},
    {"private_network", [](Scanner& in, NodeFacts& m) { m.private_network = in.flag(); }, false},
    {"private_pid", [](Scanner& in, NodeFacts& m) { m.private_pid = in.flag(); }, false},
    {"limits", [](Scanner& in, NodeFacts& m) { m.limits = in.flag(); }, false},
    {"users", read_users, false},
    {"max_tasks", [](Scanner& in, NodeFacts& m) { m.max_tasks = in.u32(); }},
    {"url", [](Scanner& in, NodeFacts& m) { m.url = in.text(); }, false}};

void append_facts(std::string& out, const NodeFacts& facts) {
  ObjectWriter object(out);
  object.number("millicores", facts.millicores);
  object.number("memory_bytes", facts.memory_bytes);
  append_array(object.member("numa_nodes"), facts.numa_nodes, [](std::string& to, const NumaNode& node) {
    ObjectWriter numa(to);
    numa.number("id", node.id);
    append_array(numa.member("cpus"), node.cpus,
                 [](std::string& list, std::uint32_t cpu) { append_number(list, cpu); });
    numa.number("memory_bytes", node.memory_bytes);
    numa.close();
  });
  object.text("launcher", facts.launcher);
  append_array(object.member("enforced"), facts.enforced,
               [](std::string& to, const std::string& word) { append_text(to, word); });
  object.flag("containers", facts.containers);
  object.flag("private_network", facts.private_network);
  object.flag("private_pid", facts.private_pid);
  object.flag("limits", facts.limits);
  if (!facts.users.empty()) {
    append_array(object.member("users"), facts.users,
                 [](std::string& to, const std::string& name) { append_text(to, name); });
  }
  object.number("max_tasks", facts.max_tasks);
  object.text("url", facts.url);
  object.close();
}

constexpr Member<NodeHealth> kHealth[] = {
    {"cpu_percent", [](Scanner& in, NodeHealth& m) { m.cpu_percent = in.decimal(); }},
    {"memory_used_bytes", [](Scanner& in, NodeHealth& m) { m.memory_used_bytes = in.u64(); }},
    {"memory_total_bytes", [](Scanner& in, NodeHealth& m) { m.memory_total_bytes = in.u64(); }},
    {"memory_percent", [](Scanner& in, NodeHealth& m) { m.memory_percent = in.decimal(); }},
    {"average_temperature", [](Scanner& in, NodeHealth& m) { m.average_temperature = in.decimal(); }, false},
    {"max_temperature", [](Scanner& in, NodeHealth& m) { m.max_temperature = in.decimal(); }, false}};

// A reading that is not a number has no place in JSON; it is told as zero.
double readable(double value) { return value == value && value - value == 0 ? value : 0; }

void append_health(std::string& out, const NodeHealth& health) {
  ObjectWriter object(out);
  object.decimal("cpu_percent", readable(health.cpu_percent));
  object.number("memory_used_bytes", health.memory_used_bytes);
  object.number("memory_total_bytes", health.memory_total_bytes);
  object.decimal("memory_percent", readable(health.memory_percent));
  if (health.average_temperature) object.decimal("average_temperature", readable(*health.average_temperature));
  if (health.max_temperature) object.decimal("max_temperature", readable(*health.max_temperature));
  object.close();
}

constexpr Member<Session> kSession[] = {{"journal_id", [](Scanner& in, Session& m) { m.journal_id = in.text(); }},
                                        {"boot_id", [](Scanner& in, Session& m) { m.boot_id = in.text(); }}};

constexpr Member<Registration> kRegistration[] = {
    kNode<Registration>,
    kRunnerId<Registration>,
    kChallenge<Registration>,
    kEpoch<Registration>,
    kRun<Registration>,
    {"session", [](Scanner& in, Registration& m) { read_members<Session>(in, m.session, kSession); }},
    kConfirmed<Registration>,
    {"facts", [](Scanner& in, Registration& m) { read_members<NodeFacts>(in, m.facts, kFacts); }},
    {"attempts", [](Scanner& in, Registration& m) { read_attempts(in, m.attempts, kMaxRegisteredAttempts); }}};

constexpr Member<RegistrationAnswer> kRegistrationAnswer[] = {
    kConfirmed<RegistrationAnswer>, {"report_interval_ms", [](Scanner& in, RegistrationAnswer& m) {
                                       m.report_interval = std::chrono::milliseconds{in.u32()};
                                     }}};

constexpr Member<Poll> kPoll[] = {
    kNode<Poll>, kEpoch<Poll>, kRun<Poll>, {"received", [](Scanner& in, Poll& m) { m.received = in.u64(); }}};

struct BundledSpec {
  BatchId batch;
  TaskSpec spec;
};
constexpr Member<BundledSpec> kBundledSpec[] = {
    {"batch", [](Scanner& in, BundledSpec& m) { m.batch.value = in.u64(); }},
    {"spec", [](Scanner& in, BundledSpec& m) { read_task_spec(in, m.spec); }}};

void read_specs(Scanner& in, OrderBundle& bundle) {
  for (in.enter_array(); in.next_item();) {
    if (bundle.specs.size() == kMaxBundleOrders) return in.fail("fewer specifications");
    BundledSpec one;
    read_members<BundledSpec>(in, one, kBundledSpec);
    bundle.specs[one.batch] = std::make_shared<const TaskSpec>(std::move(one.spec));
  }
}

constexpr Member<OrderBundle> kOrderBundle[] = {
    kEpoch<OrderBundle>,
    kRun<OrderBundle>,
    {"orders", [](Scanner& in, OrderBundle& m) { read_orders(in, m.orders, kMaxBundleOrders); }},
    {"specs", read_specs}};

constexpr Member<Report> kReport[] = {
    kNode<Report>,
    kEpoch<Report>,
    kRun<Report>,
    {"applied", [](Scanner& in, Report& m) { m.applied = in.u64(); }},
    {"first_event", [](Scanner& in, Report& m) { m.first_event = in.u64(); }},
    {"events", [](Scanner& in, Report& m) { read_events(in, m.events, kMaxReportEvents); }},
    {"health", [](Scanner& in, Report& m) { read_members<NodeHealth>(in, m.health.emplace(), kHealth); }, false}};

constexpr Member<Receipt> kReceipt[] = {{"events_seen", [](Scanner& in, Receipt& m) { m.events_seen = in.u64(); }},
                                        kConfirmed<Receipt>};

constexpr Member<Goodbye> kGoodbye[] = {
    kNode<Goodbye>, kEpoch<Goodbye>, kRun<Goodbye>, {"applied", [](Scanner& in, Goodbye& m) { m.applied = in.u64(); }}};

constexpr std::string_view kRefusals[] = {"register_again", "name_taken", "version", "overloaded", "old_copy"};

void read_refusal(Scanner& in, NodeRefusal& refusal) {
  const std::string why = in.text();
  const auto* const found = std::find(std::begin(kRefusals), std::end(kRefusals), why);
  if (found == std::end(kRefusals)) in.fail("a reason that is known");
  if (!in.failed()) refusal.why = static_cast<Refusal>(found - kRefusals);
}

constexpr Member<NodeRefusal> kRefusal[] = {{"why", read_refusal},
                                            {"message", [](Scanner& in, NodeRefusal& m) { m.message = in.text(); }}};

// Writes one object whose members `write` adds.
template <class Write>
std::string object_text(const Write& write) {
  std::string out;
  ObjectWriter object(out);
  write(object);
  object.close();
  return out;
}

template <class Message>
void write_sender(ObjectWriter& object, const Message& message) {
  object.text("node", message.node);
  object.number("epoch", message.epoch.value);
  object.number("run", message.run.value);
}

}  // namespace

std::string encode(const Hello& message) {
  return object_text([&](ObjectWriter& object) {
    object.number("version", message.version);
    object.text("node", message.node);
    object.text("runner_id", message.runner_id);
    object.number("epoch_seen", message.epoch_seen.value);
  });
}

std::string encode(const Introduction& message) {
  return object_text([&](ObjectWriter& object) {
    object.text("cluster_id", message.cluster_id);
    object.number("epoch", message.epoch.value);
    object.number("challenge", message.challenge);
  });
}

std::string encode(const Registration& message) {
  return object_text([&](ObjectWriter& object) {
    write_sender(object, message);
    object.text("runner_id", message.runner_id);
    object.number("challenge", message.challenge);
    ObjectWriter session(object.member("session"));
    session.text("journal_id", message.session.journal_id);
    session.text("boot_id", message.session.boot_id);
    session.close();
    object.number("confirmed", message.confirmed);
    append_facts(object.member("facts"), message.facts);
    append_attempts(object.member("attempts"), message.attempts);
  });
}

std::string encode(const RegistrationAnswer& message) {
  return object_text([&](ObjectWriter& object) {
    object.number("confirmed", message.confirmed);
    object.number("report_interval_ms", message.report_interval.count());
  });
}

std::string encode(const Poll& message) {
  return object_text([&](ObjectWriter& object) {
    write_sender(object, message);
    object.number("received", message.received);
  });
}

std::string encode(const OrderBundle& message) {
  return object_text([&](ObjectWriter& object) {
    object.number("epoch", message.epoch.value);
    object.number("run", message.run.value);
    append_orders(object.member("orders"), message.orders);
    append_array(object.member("specs"), message.specs, [](std::string& out, const auto& entry) {
      ObjectWriter spec(out);
      spec.number("batch", entry.first.value);
      append_task_spec(spec.member("spec"), *entry.second);
      spec.close();
    });
  });
}

std::string encode(const Report& message) {
  return object_text([&](ObjectWriter& object) {
    write_sender(object, message);
    object.number("applied", message.applied);
    object.number("first_event", message.first_event);
    append_events(object.member("events"), message.events);
    if (message.health) append_health(object.member("health"), *message.health);
  });
}

std::string encode(const Receipt& message) {
  return object_text([&](ObjectWriter& object) {
    object.number("events_seen", message.events_seen);
    object.number("confirmed", message.confirmed);
  });
}

std::string encode(const Goodbye& message) {
  return object_text([&](ObjectWriter& object) {
    write_sender(object, message);
    object.number("applied", message.applied);
  });
}

std::string encode(const NodeRefusal& message) {
  return object_text([&](ObjectWriter& object) {
    object.text("why", kRefusals[static_cast<std::size_t>(message.why)]);
    object.text("message", message.message);
  });
}

std::string encode(const NodeFacts& facts) {
  std::string out;
  append_facts(out, facts);
  return out;
}

Result<Hello> decode_hello(std::string_view text) { return decode<Hello>(text, "hello", kHello); }
Result<Introduction> decode_introduction(std::string_view text) {
  return decode<Introduction>(text, "introduction", kIntroduction);
}
Result<Registration> decode_registration(std::string_view text) {
  return decode<Registration>(text, "registration", kRegistration);
}
Result<RegistrationAnswer> decode_registration_answer(std::string_view text) {
  return decode<RegistrationAnswer>(text, "registration answer", kRegistrationAnswer);
}
Result<Poll> decode_poll(std::string_view text) { return decode<Poll>(text, "poll", kPoll); }
Result<OrderBundle> decode_order_bundle(std::string_view text) {
  return decode<OrderBundle>(text, "order bundle", kOrderBundle);
}
Result<Report> decode_report(std::string_view text) { return decode<Report>(text, "report", kReport); }
Result<Receipt> decode_receipt(std::string_view text) { return decode<Receipt>(text, "receipt", kReceipt); }
Result<Goodbye> decode_goodbye(std::string_view text) { return decode<Goodbye>(text, "goodbye", kGoodbye); }
Result<NodeRefusal> decode_node_refusal(std::string_view text) {
  return decode<NodeRefusal>(text, "refusal", kRefusal);
}
Result<NodeFacts> decode_node_facts(std::string_view text) { return decode<NodeFacts>(text, "node facts", kFacts); }

}  // namespace hakuriver::wire
