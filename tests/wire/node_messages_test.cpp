#include "wire/node_messages.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "wire/json.hpp"
#include "wire/node_events.hpp"
#include "wire/task_spec.hpp"

using namespace hakuriver;
using namespace hakuriver::wire;

namespace {

constexpr std::uint64_t kMost = ~std::uint64_t{0};

std::string any_bytes() {
  std::string bytes;
  for (int c = 1; c < 256; ++c) bytes += static_cast<char>(c);
  return bytes;
}

TaskSpec full_spec() {
  return {{"/bin/sh", "", "a b", "\n\"\\", any_bytes(), "\xF0\x9F\x98\x80"},
          {{"Z", "1"}, {"A", any_bytes()}, {any_bytes().substr(0, 60), ""}},
          {2'500, std::uint64_t{1} << 60},
          "name",
          "/work dir",
          "image:tag",
          {"/a:/b", "/c:/d:ro"},
          true,
          true,
          true,
          {},
          0,
          kMaxTimeLimit,
          "alice",
          kMaxNiceness};
}

NodeFacts full_facts() {
  return {64'000,
          kMost,
          {{0, {0, 1, 2}, 1ULL << 36}, {7, {4294967295U}, 0}},
          "systemd",
          {"cores", "memory", "numa"},
          true,
          true,
          true,
          true,
          {"alice", "*"},
          1024,
          "http://n:1"};
}

// Every enumerator, and numbers at both ends of their range.
std::vector<KeptAttempt> varied_attempts() {
  std::vector<KeptAttempt> all;
  for (int i = 0; i < 60; ++i) {
    const auto at = static_cast<std::uint64_t>(i);
    const bool high = i % 2 == 0;
    KeptAttempt a;
    a.key = {TaskId{high ? kMost - at : at}, Attempt{high ? 4294967295U : 0U}};
    a.state = static_cast<KeptState>(i % 3);
    a.pid = high ? std::numeric_limits<std::int64_t>::max() : -1;
    a.started_at = {high ? std::numeric_limits<std::int64_t>::min() : std::numeric_limits<std::int64_t>::max()};
    a.record = high ? kMost : 0;
    a.outcome = {static_cast<OutcomeKind>(i % 5),
                 high ? std::numeric_limits<std::int32_t>::min() : std::numeric_limits<std::int32_t>::max()};
    a.by_request = i % 4 < 2;
    a.ended_after = std::chrono::microseconds{high ? std::numeric_limits<std::int64_t>::max() : -5};
    a.usage = {high ? kMost : 0, at};
    a.stdout_bytes = kMost - at;
    a.stderr_bytes = high ? 1 : kMost;
    a.millicores = at * 500;
    a.memory_bytes = high ? kMost : 1;
    if (i % 3 == 0) a.numa_node = high ? 4294967295U : 0;
    if (i % 7 == 0) a.message = any_bytes();
    all.push_back(a);
  }
  return all;
}

Report full_report() {
  Report report{"node1", Epoch{kMost}, RunId{3}, 17, 5, {}, NodeHealth{12.5, 1, 2, 99.25, 41.5, 77.0}};
  for (const auto& attempt : varied_attempts()) {
    report.events.push_back({static_cast<NodeEventKind>(report.events.size() % 5), attempt});
  }
  return report;
}

Registration full_registration() {
  return {
      "node1",      std::string(32, 'a'), kMost, Epoch{2}, RunId{9}, {std::string(32, 'b'), std::string(32, 'c')}, 12,
      full_facts(), varied_attempts()};
}

OrderBundle full_bundle() {
  OrderBundle bundle{Epoch{4}, RunId{kMost}, {}, {}};
  for (std::uint32_t i = 0; i < 30; ++i) {
    Order order{i + 1,
                static_cast<OrderKind>(i % 5),
                BatchId{100 + i * 50},
                TaskId{101 + i * 50 + i},
                i % 3 == 0 ? kMost : i,
                Attempt{i},
                {}};
    if (i % 4 == 0) order.numa_node = i % 8 == 0 ? 0 : 4294967295U;
    bundle.orders.push_back(order);
  }
  bundle.specs[BatchId{100}] = std::make_shared<const TaskSpec>(full_spec());
  bundle.specs[BatchId{150}] =
      std::make_shared<const TaskSpec>(TaskSpec{{"true"}, {}, {}, "", "", "", {}, false, false, false});
  return bundle;
}

template <class Message>
void check_round_trip(const Message& message, Result<Message> (*decode)(std::string_view)) {
  const std::string text = encode(message);
  CHECK(nlohmann::json::accept(text));
  const auto back = decode(text);
  REQUIRE_MESSAGE(back.has_value(), (back ? std::string{} : back.error().message));
  CHECK(*back == message);
}

}  // namespace

TEST_CASE("a runner that does not say so knows no limits") {
  std::string text = encode(full_registration());
  const std::string said = R"("limits":true,)";
  const auto at = text.find(said);
  REQUIRE(at != std::string::npos);
  const auto earlier = decode_registration(text.erase(at, said.size()));
  REQUIRE(earlier);
  CHECK_FALSE(earlier->facts.limits);
  CHECK(earlier->facts.private_pid);
}

TEST_CASE("every message is read back as it was written") {
  check_round_trip(Hello{2, "node1", "0123", Epoch{kMost}}, decode_hello);
  check_round_trip(Introduction{"abc", Epoch{kMost}, kMost}, decode_introduction);
  check_round_trip(full_registration(), decode_registration);
  check_round_trip(Registration{}, decode_registration);
  check_round_trip(RegistrationAnswer{kMost, std::chrono::milliseconds{250}}, decode_registration_answer);
  check_round_trip(Poll{"n", Epoch{1}, RunId{2}, 3}, decode_poll);
  check_round_trip(full_report(), decode_report);
  check_round_trip(Report{}, decode_report);
  check_round_trip(Receipt{1, kMost}, decode_receipt);
  check_round_trip(Goodbye{"n", Epoch{1}, RunId{2}, 7}, decode_goodbye);
  check_round_trip(Goodbye{"n", Epoch{1}, RunId{2}}, decode_goodbye);
  check_round_trip(full_facts(), decode_node_facts);
  for (const auto why :
       {Refusal::register_again, Refusal::name_taken, Refusal::version, Refusal::overloaded, Refusal::old_copy}) {
    check_round_trip(NodeRefusal{why, "because \"x\"\n"}, decode_node_refusal);
  }
}

TEST_CASE("a bundle of orders brings each specification once") {
  const OrderBundle bundle = full_bundle();
  const std::string text = encode(bundle);
  CHECK(nlohmann::json::accept(text));
  const auto back = decode_order_bundle(text);
  REQUIRE(back);
  CHECK(back->epoch == bundle.epoch);
  CHECK(back->run == bundle.run);
  CHECK(back->orders == bundle.orders);
  REQUIRE(back->specs.size() == 2);
  for (const auto& [batch, spec] : bundle.specs) CHECK(*back->specs.at(batch) == *spec);
}

TEST_CASE("a specification keeps any bytes and the order of its environment") {
  const auto back = decode_task_spec(encode_task_spec(full_spec()));
  REQUIRE(back);
  CHECK(*back == full_spec());
  CHECK(!decode_task_spec("{}"));
  CHECK(!decode_task_spec(R"({"argv":["x"],"millicores":1,"time_limit_ms":315360000001})"));
  CHECK(!decode_task_spec(R"({"argv":["x"],"millicores":1,"niceness":20})"));
  CHECK(!decode_task_spec(R"({"argv":[],"millicores":1})"));
  CHECK(!decode_task_spec(R"({"argv":["x"],"millicores":1,"environment":["A"]})"));
}

TEST_CASE("alike events cost a few bytes, however many") {
  std::vector<KeptAttempt> alike(1'000);
  for (std::size_t i = 0; i < alike.size(); ++i) alike[i].key = {TaskId{5 + i}, Attempt{1}};
  alike[0].key.task.value = 1;
  std::string text;
  append_attempts(text, {alike.begin() + 1, alike.end()});
  CHECK(text.size() < 2'100);
}

TEST_CASE("a message that lacks a member, has one twice or of the wrong kind is refused in one line") {
  struct Row {
    std::string_view text;
    std::string_view message;
  };
  for (const auto& row : std::vector<Row>{
           {"", "poll: expected an object at byte 0"},
           {"[]", "poll: expected an object at byte 0"},
           {"{}", "poll: expected 'node' before the end at byte 2"},
           {R"({"node":"n","epoch":1,"run":1})", "poll: expected 'received' before the end at byte 30"},
           {R"({"node":"n","node":"m"})", "poll: expected 'node' once at byte 19"},
           {R"({"node":7})", "poll: expected text at byte 8"},
           {R"({"node":"n","epoch":-1})", "poll: expected a whole number at byte 20"},
           {R"({"node":"n","epoch":1,"run":1,"received":0} x)", "poll: expected nothing after the end at byte 44"}}) {
    CAPTURE(row.text);
    const auto poll = decode_poll(row.text);
    REQUIRE(!poll);
    CHECK(poll.error() == Error{Errc::parse, std::string(row.message)});
  }
  CHECK(decode_poll(R"({"later":{"x":[1,2]},"node":"n","epoch":1,"run":1,"received":0})"));
}

TEST_CASE("columns that do not fit each other are refused") {
  const auto report = [](std::string_view events) {
    return decode_report(R"({"node":"n","epoch":1,"run":1,"applied":0,"first_event":1,"events":)" +
                         std::string(events) + "}");
  };
  CHECK(report(R"({"count":2,"task":[1,1],"kind":[3]})"));
  CHECK(report(R"({"count":0})"));
  CHECK(report(R"({"count":3})"));
  for (const auto* bad :
       {R"({"count":2,"task":[1,1,1]})", R"({"count":1,"task":[1,1]})", R"({"count":1,"kind":[5]})",
        R"({"count":1,"kind":[-1]})", R"({"count":1,"state":[3]})", R"({"count":1,"outcome":[6]})",
        R"({"count":1,"value":[2147483648]})", R"({"count":1,"value":[9223372036854775807]})",
        R"({"count":1,"attempt":[4294967296]})", R"({"count":1,"by_request":[2]})", R"({"count":65537})",
        R"({"count":1,"message_at":[0]})", R"({"count":1,"message":["x"]})",
        R"({"count":1,"message_at":[1],"message":["x"]})", R"({"count":1,"message_at":[-1],"message":["x"]})",
        R"({"count":2,"task":[1,1],"task":[1,1]})", R"({"count":1,"task":["1"]})", "[]", "null"}) {
    CAPTURE(bad);
    CHECK(!report(bad));
  }
}

TEST_CASE("counts are bounded before memory is taken") {
  const std::string head = R"({"node":"n","epoch":1,"run":1,"applied":0,"first_event":1,"events":)";
  CHECK(!decode_report(head + R"({"count":18446744073709551615}})"));
  std::string zeros = "[0";
  for (int i = 0; i < 65'536; ++i) zeros += ",0";
  CHECK(decode_report(head + "{\"count\":1,\"pid\":" + zeros + "]}}").error().message.find("at most 65536 numbers") !=
        std::string::npos);
  std::string words = R"({"millicores":1,"argv":[)";
  for (std::size_t i = 0; i <= kMaxMessageItems; ++i) words += "\"\",";
  CHECK(decode_task_spec(words + "\"\"]}").error().message.find("fewer items") != std::string::npos);
}

TEST_CASE("cut off or damaged messages are refused or read as something, and nothing worse") {
  const std::vector<std::pair<std::string, std::function<bool(std::string_view)>>> messages{
      {encode(full_report()), [](std::string_view text) { return bool(decode_report(text)); }},
      {encode(full_registration()), [](std::string_view text) { return bool(decode_registration(text)); }},
      {encode(full_bundle()), [](std::string_view text) { return bool(decode_order_bundle(text)); }},
      {encode(Hello{1, "n", "r", {}}), [](std::string_view text) { return bool(decode_hello(text)); }}};
  std::mt19937 random(3);
  for (const auto& [text, decode] : messages) {
    for (std::size_t length = 0; length < text.size(); length += 1 + text.size() / 700) {
      CHECK(!decode(std::string(text, 0, length)));
    }
    for (int round = 0; round < 1'500; ++round) {
      std::string damaged = text;
      for (auto hits = 1 + random() % 3; hits > 0; --hits) {
        constexpr std::string_view kBytes = "0-9,:[]{}\"\\ \xFFu";
        damaged[random() % damaged.size()] = kBytes[random() % kBytes.size()];
      }
      const bool read = decode(damaged);
      // Whatever is taken for a message is JSON.
      if (read) CHECK(nlohmann::json::accept(damaged));
    }
  }
}
