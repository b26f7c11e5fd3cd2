#include "wire/node_events.hpp"

#include <array>
#include <limits>

#include "wire/columns.hpp"
#include "wire/json_text.hpp"

namespace hakuriver::wire {
namespace {

constexpr std::uint64_t kMost32 = std::numeric_limits<std::uint32_t>::max();

// The order of names is the order of the columns' numbers below.
constexpr std::array<std::string_view, 18> kAttemptColumns{
    "kind",          "task",         "attempt",      "state",      "pid",          "started_at",
    "record",        "outcome",      "value",        "by_request", "ran",          "cpu_microseconds",
    "max_rss_bytes", "stdout_bytes", "stderr_bytes", "millicores", "memory_bytes", "numa_node"};
enum AttemptColumn : std::size_t {
  kKind,
  kTask,
  kAttempt,
  kState,
  kPid,
  kStarted,
  kRecord,
  kOutcome,
  kValue,
  kByRequest,
  kRan,
  kCpu,
  kRss,
  kStdout,
  kStderr,
  kMillicores,
  kMemory,
  kAttemptNuma
};

constexpr std::array<std::string_view, 7> kOrderColumns{"sequence", "kind",    "batch",    "first",
                                                        "tasks",    "attempt", "numa_node"};
enum OrderColumn : std::size_t { kSequence, kOrderKind, kBatch, kFirst, kCount, kOrderAttempt, kNuma };

// None is 0, so that records without NUMA nodes have no such column.
std::int64_t column_of(const std::optional<std::uint32_t>& numa_node) {
  return numa_node ? std::int64_t{*numa_node} + 1 : 0;
}

std::optional<std::uint32_t> numa_of(Scanner& in, std::int64_t number) {
  const auto numa = narrow_to<std::uint64_t>(in, number, kMost32 + 1);
  if (numa == 0) return std::nullopt;
  return static_cast<std::uint32_t>(numa - 1);
}

template <class Attempts>
void write_attempts(ObjectWriter& object, std::size_t count, const Attempts& at) {
  const auto number = [&](std::size_t column, const auto& get) {
    write_column(object, kAttemptColumns[column], count,
                 [&](std::size_t i) { return static_cast<std::int64_t>(get(at(i))); });
  };
  const auto difference = [&](std::size_t column, const auto& get) {
    write_difference_column(object, kAttemptColumns[column], count, [&](std::size_t i) { return get(at(i)); });
  };
  using A = const KeptAttempt&;
  difference(kTask, [](A a) { return a.key.task.value; });
  number(kAttempt, [](A a) { return a.key.attempt.value; });
  number(kState, [](A a) { return a.state; });
  difference(kPid, [](A a) { return a.pid; });
  difference(kStarted, [](A a) { return a.started_at.microseconds; });
  difference(kRecord, [](A a) { return a.record; });
  number(kOutcome, [](A a) { return a.outcome.kind; });
  number(kValue, [](A a) { return a.outcome.value; });
  number(kByRequest, [](A a) { return a.by_request; });
  number(kRan, [](A a) { return a.ended_after.count(); });
  number(kCpu, [](A a) { return a.usage.cpu_microseconds; });
  number(kRss, [](A a) { return a.usage.max_rss_bytes; });
  number(kStdout, [](A a) { return a.stdout_bytes; });
  number(kStderr, [](A a) { return a.stderr_bytes; });
  number(kMillicores, [](A a) { return a.millicores; });
  number(kMemory, [](A a) { return a.memory_bytes; });
  number(kAttemptNuma, [](A a) { return column_of(a.numa_node); });
  write_text_column(object, count, [&](std::size_t i) -> const std::string& { return at(i).message; });
}

// The fields that are differences, summed up so far.
struct AttemptSums {
  std::uint64_t task = 0;
  std::uint64_t pid = 0;
  std::uint64_t started_at = 0;
  std::uint64_t record = 0;
};

using AttemptTable = Columns<kAttemptColumns.size()>;

KeptAttempt attempt_at(Scanner& in, const AttemptTable& table, std::size_t i, AttemptSums& sums) {
  const auto add = [&](std::uint64_t& sum, std::size_t column) {
    return sum += static_cast<std::uint64_t>(table(column, i));
  };
  constexpr std::uint64_t kOffset = std::uint64_t{1} << 31;  // makes the 32-bit range of values start at zero
  KeptAttempt a;
  a.key.task.value = add(sums.task, kTask);
  a.key.attempt.value = narrow_to<std::uint32_t>(in, table(kAttempt, i), kMost32);
  a.state = narrow_to<KeptState>(in, table(kState, i), static_cast<std::uint64_t>(KeptState::ended));
  a.pid = static_cast<std::int64_t>(add(sums.pid, kPid));
  a.started_at.microseconds = static_cast<std::int64_t>(add(sums.started_at, kStarted));
  a.record = add(sums.record, kRecord);
  a.outcome.kind = narrow_to<OutcomeKind>(in, table(kOutcome, i), static_cast<std::uint64_t>(kLastOutcomeKind));
  const auto shifted = static_cast<std::int64_t>(static_cast<std::uint64_t>(table(kValue, i)) + kOffset);
  a.outcome.value = static_cast<std::int32_t>(narrow_to<std::uint64_t>(in, shifted, kMost32) - kOffset);
  a.by_request = narrow_to<std::uint8_t>(in, table(kByRequest, i), 1) != 0;
  a.ended_after = std::chrono::microseconds{table(kRan, i)};
  a.usage = {static_cast<std::uint64_t>(table(kCpu, i)), static_cast<std::uint64_t>(table(kRss, i))};
  a.stdout_bytes = static_cast<std::uint64_t>(table(kStdout, i));
  a.stderr_bytes = static_cast<std::uint64_t>(table(kStderr, i));
  a.millicores = static_cast<std::uint64_t>(table(kMillicores, i));
  a.memory_bytes = static_cast<std::uint64_t>(table(kMemory, i));
  a.numa_node = numa_of(in, table(kAttemptNuma, i));
  return a;
}

// Reads the members of one object of columns, and how many records it has. 0 where it fails.
template <class Table>
std::size_t read_table(Scanner& in, Table& table, TextColumn& texts, std::size_t most) {
  std::uint64_t count = 0;
  std::string_view name;
  for (in.enter_object(); in.next_name(name);) {
    if (name == "count") {
      count = in.u64();
    } else if (!table.take(in, name, most) && !texts.take(in, name, most)) {
      in.skip();
    }
  }
  if (count > most) in.fail("at most " + std::to_string(most) + " records");
  const auto records = static_cast<std::size_t>(count);
  return table.fits(in, records) && texts.fits(in, records) ? records : 0;
}

Order order_at(Scanner& in, const Columns<kOrderColumns.size()>& table, std::size_t i, const Order* before) {
  const auto add = [&](std::uint64_t last, std::size_t column) {
    return last + static_cast<std::uint64_t>(table(column, i));
  };
  Order order;
  order.sequence = add(before ? before->sequence : 0, kSequence);
  order.kind = narrow_to<OrderKind>(in, table(kOrderKind, i), static_cast<std::uint64_t>(OrderKind::withdraw));
  order.batch.value = add(before ? before->batch.value : 0, kBatch);
  order.first.value = add(before ? before->first.value : 0, kFirst);
  order.count = static_cast<std::uint64_t>(table(kCount, i));
  order.attempt.value = narrow_to<std::uint32_t>(in, table(kOrderAttempt, i), kMost32);
  order.numa_node = numa_of(in, table(kNuma, i));
  return order;
}

}  // namespace

void append_attempts(std::string& out, const std::vector<KeptAttempt>& attempts) {
  ObjectWriter object(out);
  object.number("count", attempts.size());
  write_attempts(object, attempts.size(), [&](std::size_t i) -> const KeptAttempt& { return attempts[i]; });
  object.close();
}

void append_events(std::string& out, const std::vector<NodeEvent>& events) {
  ObjectWriter object(out);
  object.number("count", events.size());
  write_column(object, kAttemptColumns[kKind], events.size(),
               [&](std::size_t i) { return static_cast<std::int64_t>(events[i].kind); });
  write_attempts(object, events.size(), [&](std::size_t i) -> const KeptAttempt& { return events[i].attempt; });
  object.close();
}

void append_orders(std::string& out, const std::vector<Order>& orders) {
  const std::size_t count = orders.size();
  ObjectWriter object(out);
  object.number("count", count);
  const auto number = [&](std::size_t column, const auto& get) {
    write_column(object, kOrderColumns[column], count,
                 [&](std::size_t i) { return static_cast<std::int64_t>(get(orders[i])); });
  };
  const auto difference = [&](std::size_t column, const auto& get) {
    write_difference_column(object, kOrderColumns[column], count, [&](std::size_t i) { return get(orders[i]); });
  };
  difference(kSequence, [](const Order& order) { return order.sequence; });
  number(kOrderKind, [](const Order& order) { return order.kind; });
  difference(kBatch, [](const Order& order) { return order.batch.value; });
  difference(kFirst, [](const Order& order) { return order.first.value; });
  number(kCount, [](const Order& order) { return order.count; });
  number(kOrderAttempt, [](const Order& order) { return order.attempt.value; });
  number(kNuma, [](const Order& order) { return column_of(order.numa_node); });
  object.close();
}

void read_attempts(Scanner& in, std::vector<KeptAttempt>& attempts, std::size_t most) {
  AttemptTable table(kAttemptColumns);
  TextColumn texts;
  AttemptSums sums;
  const std::size_t count = read_table(in, table, texts, most);
  attempts.reserve(count);
  for (std::size_t i = 0; i < count; ++i) attempts.push_back(attempt_at(in, table, i, sums));
  if (in.failed()) return;
  texts.give([&](std::size_t i, std::string text) { attempts[i].message = std::move(text); });
}

void read_events(Scanner& in, std::vector<NodeEvent>& events, std::size_t most) {
  AttemptTable table(kAttemptColumns);
  TextColumn texts;
  AttemptSums sums;
  const std::size_t count = read_table(in, table, texts, most);
  events.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto kind =
        narrow_to<NodeEventKind>(in, table(kKind, i), static_cast<std::uint64_t>(NodeEventKind::returned));
    events.push_back({kind, attempt_at(in, table, i, sums)});
  }
  if (in.failed()) return;
  texts.give([&](std::size_t i, std::string text) { events[i].attempt.message = std::move(text); });
}

void read_orders(Scanner& in, std::vector<Order>& orders, std::size_t most) {
  Columns<kOrderColumns.size()> table(kOrderColumns);
  TextColumn texts;
  const std::size_t count = read_table(in, table, texts, most);
  orders.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    orders.push_back(order_at(in, table, i, orders.empty() ? nullptr : &orders.back()));
  }
}

}  // namespace hakuriver::wire
