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

StartRequest special_request() {
  auto request = full_request();
  request.user = TaskUser{1000, 100, {4, 27}};
  request.no_new_privileges = true;
  request.niceness = 19;
  request.time_limit = std::chrono::hours{2};
  request.time_limit_grace = std::chrono::seconds{3};
  request.reports_start = true;
  request.unit = "hakuriver-task-17.scope";
  request.control = {"/opt/launcher", "--unit", "a b"};
  request.refusal = "no";
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

TEST_CASE("what few requests ask for is behind the rest, where an earlier keeper refuses it and none need read it") {
  const auto plain = encode_start(full_request());
  const auto request = special_request();
  const auto start = encode_start(request);
  const auto read = decode_start(start);
  REQUIRE(read.has_value());
  CHECK(encode_start(*read) == start);
  CHECK(read->user == request.user);
  CHECK(read->no_new_privileges);
  CHECK(read->niceness == 19);
  CHECK(read->time_limit == request.time_limit);
  CHECK(read->time_limit_grace == request.time_limit_grace);
  CHECK(read->reports_start);
  CHECK(read->unit == request.unit);
  CHECK(read->control == request.control);
  CHECK(read->refusal == "no");
  CHECK(check_start(*read).has_value());
  CHECK(start.starts_with(plain));
  constexpr std::size_t kNoCgroup = 5 * 4 + 1;  // as version 2 may end
  for (std::size_t size = plain.size() + 1; size < start.size(); ++size) {
    if (size != plain.size() + kNoCgroup) CHECK_FALSE(decode_start(start.substr(0, size)).has_value());
  }
}

TEST_CASE("a request that nobody can fulfil is refused with a word on what") {
  const auto refused = [](void (*spoil)(StartRequest&), const char* part) {
    auto request = special_request();
    spoil(request);
    const auto checked = check_start(request);
    CAPTURE(part);
    REQUIRE_FALSE(checked.has_value());
    CHECK(checked.error().message.find(part) != std::string::npos);
  };
  refused([](StartRequest& r) { r.niceness = -1; }, "niceness -1: expected 0 to 19");
  refused([](StartRequest& r) { r.niceness = 20; }, "niceness 20");
  refused([](StartRequest& r) { r.time_limit = std::chrono::milliseconds{-1}; }, "time limit of -1 ms");
  refused([](StartRequest& r) { r.time_limit = std::chrono::hours{24 * 366 * 100}; }, "a hundred years");
  refused([](StartRequest& r) { r.time_limit_grace = std::chrono::hours{25}; }, "at most a day");
  refused([](StartRequest& r) { r.user->groups.resize(65537); }, "65537 groups");
  refused([](StartRequest& r) { r.user->uid = ~0u; }, "user 4294967295");
  refused([](StartRequest& r) { r.user->gid = ~0u; }, "group 4294967295");
  refused([](StartRequest& r) { r.unit = "../x"; }, "unit '../x'");
  refused([](StartRequest& r) { r.reports_start = false; }, "a unit whose start is reported");
  refused([](StartRequest& r) { r.control = {"launcher"}; }, "expected an absolute path");
  refused([](StartRequest& r) { r.control.emplace_back(4096, 'x'); }, "a launcher's program of 4 words");
  refused([](StartRequest& r) { r.control.resize(65); }, "a launcher's program of 65 words");
  refused([](StartRequest& r) { r.cgroup.unified = "/c"; }, "expected one of them");
  refused([](StartRequest& r) { r.refusal = std::string(4097, 'x'); }, "a refusal of 4097 bytes");
  refused([](StartRequest& r) { r.refusal = std::string("a\0b", 3); }, "and no NUL");
}

TEST_CASE("an outcome that earlier versions do not know reads there as what is nearest to it") {
  auto attempt = full_attempt();
  attempt.outcome = {OutcomeKind::timed_out, 0};
  const auto bytes = encode_attempt(attempt);
  CHECK(decode_attempt(bytes) == attempt);
  constexpr std::size_t kTail = 1 + 4;
  auto earlier = attempt;
  earlier.outcome = {OutcomeKind::exited, 124};
  CHECK(decode_attempt(bytes.substr(0, bytes.size() - kTail)) == earlier);
  for (std::size_t less = 1; less < kTail; ++less) {
    CHECK_FALSE(decode_attempt(bytes.substr(0, bytes.size() - less)).has_value());
  }
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
