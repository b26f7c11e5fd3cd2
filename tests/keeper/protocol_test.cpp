#include "keeper/protocol.hpp"

#include <doctest/doctest.h>

using namespace hakuriver;
using namespace hakuriver::keeper;

namespace {

StartRequest full_request() {
  StartRequest request;
  request.key = {TaskId{7319847234987230000u}, Attempt{3}};
  request.argv = {"/bin/echo", "", "a b", "\xff\xfe"};
  request.environment = {"A=1", "B="};
  request.working_directory = "/work";
  request.stdout_path = "/out/1.out";
  request.stderr_path = "/out/1.err";
  request.cpus = {0, 8191};
  request.numa_node = 2;
  request.memory_bytes = 1ull << 40;
  request.millicores = 1500;
  return request;
}

KeptAttempt full_attempt() {
  KeptAttempt attempt;
  attempt.key = {TaskId{42}, Attempt{1}};
  attempt.state = KeptState::ended;
  attempt.pid = 4711;
  attempt.started_at = {1'700'000'000'000'000};
  attempt.record = 9;
  attempt.outcome = {OutcomeKind::signaled, 15};
  attempt.by_request = true;
  attempt.ended_after = std::chrono::microseconds{123456};
  attempt.usage = {55, 1u << 20};
  attempt.stdout_bytes = 10;
  attempt.stderr_bytes = 20;
  attempt.message = "left behind";
  attempt.millicores = 1500;
  attempt.memory_bytes = 1ull << 40;
  attempt.numa_node = 0;
  return attempt;
}

}  // namespace

TEST_CASE("every body reads back as it was written, and no beginning of it reads as a whole") {
  const auto request = full_request();
  const auto start = encode_start(request);
  const auto read = decode_start(start);
  REQUIRE(read.has_value());
  CHECK(encode_start(*read) == start);
  CHECK(read->argv == request.argv);
  CHECK(read->numa_node == request.numa_node);
  CHECK(read->cpus == request.cpus);
  for (std::size_t size = 0; size < start.size(); ++size) CHECK_FALSE(decode_start(start.substr(0, size)).has_value());

  const auto attempt = encode_attempt(full_attempt());
  CHECK(decode_attempt(attempt) == full_attempt());
  constexpr std::size_t kPlace = 8 + 8 + 1 + 4;
  for (std::size_t size = 0; size < attempt.size(); ++size) {
    if (size != attempt.size() - kPlace) CHECK_FALSE(decode_attempt(attempt.substr(0, size)).has_value());
  }
  auto unplaced = full_attempt();
  unplaced.millicores = 0;
  unplaced.memory_bytes = 0;
  unplaced.numa_node.reset();
  CHECK(decode_attempt(attempt.substr(0, attempt.size() - kPlace)) == unplaced);

  const auto hello = decode_hello(encode_hello({1, 2, "cluster", Epoch{7}}));
  REQUIRE(hello.has_value());
  CHECK(hello->highest_version == 2);
  CHECK(hello->cluster_id == "cluster");
  CHECK(hello->epoch == Epoch{7});

  for (const auto signal : {TaskSignal::terminate, TaskSignal::pause, TaskSignal::resume}) {
    const auto order = decode_signal(encode_signal({{TaskId{1}, Attempt{2}}, signal, std::chrono::milliseconds{9}}));
    REQUIRE(order.has_value());
    CHECK(order->signal == signal);
    CHECK(order->grace == std::chrono::milliseconds{9});
  }
  CHECK(decode_confirm(encode_confirm(77)) == 77);
  CHECK(decode_refused(encode_refused({Errc::denied, "no"})) == Error{Errc::denied, "no"});

  const KeeperListing listing{{"j", "b"}, RunId{3}, "cluster", Epoch{4}, 5, {}};
  std::uint32_t version = 0;
  const auto listed = decode_listing(encode_listing(listing, 2), version);
  CHECK(version == 2);
  REQUIRE(listed.has_value());
  CHECK(listed->session == listing.session);
  CHECK(listed->run == listing.run);
  CHECK(listed->confirmed == 5);
}

TEST_CASE("counts and lengths beyond the bytes that are there take no memory") {
  std::string body = encode_start(full_request());
  body.replace(12, 4, "\xff\xff\xff\xff");  // the count of words
  CHECK_FALSE(decode_start(body).has_value());
  body = encode_start(full_request());
  body.replace(16, 4, "\xff\xff\xff\x7f");  // the length of the first
  CHECK_FALSE(decode_start(body).has_value());
}

TEST_CASE("frames are taken whole, in order, and never beyond their bound") {
  std::string bytes;
  append_frame(bytes, FrameType::confirm, "one");
  append_frame(bytes, FrameType::signal, "");
  for (std::size_t size = 0; size < 8; ++size) {
    std::string_view part = std::string_view(bytes).substr(0, size);
    const auto frame = take_frame(part);
    REQUIRE(frame.has_value());
    CHECK_FALSE(frame->has_value());
  }
  std::string_view rest = bytes;
  const auto first = take_frame(rest);
  REQUIRE((first && *first));
  CHECK((*first)->type == FrameType::confirm);
  CHECK((*first)->body == "one");
  const auto second = take_frame(rest);
  REQUIRE((second && *second));
  CHECK((*second)->body.empty());
  CHECK(rest.empty());
  for (const std::string& head :
       {std::string("\0\0\0\0", 4), std::string("\x01\0\x20\0", 4), std::string("\xff\xff\xff\xff", 4)}) {
    std::string_view wrong = head;
    CHECK_FALSE(take_frame(wrong).has_value());
  }
}

TEST_CASE("values that no version knows are refused") {
  auto attempt = encode_attempt(full_attempt());
  attempt[12] = 3;  // the state
  CHECK_FALSE(decode_attempt(attempt).has_value());
  auto order = encode_signal({{TaskId{1}, Attempt{1}}, TaskSignal::resume, {}});
  order[12] = 3;
  CHECK_FALSE(decode_signal(order).has_value());
}
