// How long the node protocol's hot messages take: a report of a thousand ends, a bundle of a thousand orders.
#include <chrono>
#include <cstdio>
#include <string>

#include "wire/node_messages.hpp"

using namespace hakuriver;

namespace {

constexpr std::size_t kRecords = 1'000;
constexpr int kRounds = 500;

Report thousand_ends() {
  Report report{"node1", Epoch{3}, RunId{7}, 5'000, 1, {}, NodeHealth{}};
  for (std::uint64_t i = 0; i < kRecords; ++i) {
    KeptAttempt attempt;
    attempt.key = {TaskId{7'319'847'234'987'230'000 + i}, Attempt{1}};
    attempt.state = KeptState::ended;
    attempt.pid = static_cast<std::int64_t>(20'000 + i * 3 % 30'000);
    attempt.started_at = {1'744'977'600'123'456 + static_cast<std::int64_t>(i) * 137};
    attempt.record = 1'000 + i;
    attempt.outcome = {OutcomeKind::exited, 0};
    attempt.ended_after = std::chrono::microseconds{1'000 + i % 971};
    attempt.usage = {700 + i % 313, 1'400'000 + i % 7 * 4096};
    attempt.stdout_bytes = i % 100;
    report.events.push_back({NodeEventKind::ended, attempt});
  }
  return report;
}

OrderBundle thousand_orders() {
  OrderBundle bundle{Epoch{3}, RunId{7}, {}, {}};
  for (std::uint64_t i = 0; i < kRecords; ++i) {
    const BatchId batch{7'319'847'234'987'230'000 + i / 10 * 1'000};
    bundle.orders.push_back({i + 1, OrderKind::start, batch, task_of(batch, i % 10 * 7), 5, Attempt{1}, {}});
  }
  return bundle;
}

template <class Message, class Decode>
void measure(const char* name, const Message& message, const Decode& decode) {
  using Clock = std::chrono::steady_clock;
  const auto per_record = [](Clock::duration spent) {
    return std::chrono::duration<double, std::micro>(spent).count() / (kRounds * static_cast<double>(kRecords));
  };
  std::string text;
  const auto start = Clock::now();
  for (int round = 0; round < kRounds; ++round) text = wire::encode(message);
  const auto encoded = Clock::now();
  bool good = true;
  for (int round = 0; round < kRounds; ++round) good = decode(text).has_value() && good;
  const auto decoded = Clock::now();
  std::printf("%-22s %8zu bytes  encode %.3f us  decode %.3f us  together %.3f us per record%s\n", name, text.size(),
              per_record(encoded - start), per_record(decoded - encoded), per_record(decoded - start),
              good ? "" : "  NOT READ BACK");
}

}  // namespace

int main() {
  measure("report of 1000 ends", thousand_ends(), wire::decode_report);
  measure("bundle of 1000 orders", thousand_orders(), wire::decode_order_bundle);
}
