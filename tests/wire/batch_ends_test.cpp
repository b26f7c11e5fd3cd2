#include "wire/batch_ends.hpp"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

using namespace hakuriver;
using namespace hakuriver::wire;

namespace {

constexpr BatchId kBatch{41};

std::vector<EndRecord> some_ends() {
  EndRecord failed;
  failed.batch = kBatch;
  failed.first = task_of(kBatch, 7);
  failed.attempt = Attempt{3};
  failed.status = TaskStatus::failed;
  failed.outcome = {OutcomeKind::exited, 9};
  failed.started_at.microseconds = 1'700'000'000'000'000;
  failed.ended_at.microseconds = 1'700'000'001'000'000;
  failed.usage = {12, 4096};
  failed.stdout_bytes = 5;
  failed.stderr_bytes = ~std::uint64_t{0};
  failed.message = "a \"quoted\" \xff word";
  EndRecord killed;
  killed.batch = kBatch;
  killed.first = task_of(kBatch, 8);
  killed.count = 1'000'000;
  killed.attempt = Attempt{1};
  killed.status = TaskStatus::killed;
  killed.outcome = {OutcomeKind::never_started, 0};
  return {failed, killed};
}

std::vector<EndOutput> some_outputs() {
  return {{task_of(kBatch, 7), false, std::string("\0\n\"", 3)},
          {task_of(kBatch, 7), true, "\xff\xfe not UTF-8"},
          {task_of(kBatch, 99'999'999), false, ""}};
}

}  // namespace

TEST_CASE("the ends of a batch read back as they were written") {
  for (const BatchEnds& ends : {BatchEnds{}, BatchEnds{some_ends(), {}}, BatchEnds{some_ends(), some_outputs()}}) {
    const auto back = decode_batch_ends(encode(kBatch, ends), kBatch);
    REQUIRE_MESSAGE(back, back.error().message);
    CHECK(*back == ends);
  }
}

TEST_CASE("an answer without outputs does not speak of them") {
  CHECK(encode(kBatch, {some_ends(), {}}).find("outputs") == std::string::npos);
  BatchEndsQuery query;
  CHECK(encode(query).find("outputs") == std::string::npos);
}

TEST_CASE("outputs that make no sense are refused in one line") {
  for (const std::string output :
       {"7", "[]", "[7]", R"([7,"stdout"])", R"([7,"stdin",""])", R"([-1,"stdout",""])", R"([100000000,"stdout",""])",
        R"([7,"stdout","",""])", R"([7,"stdout",null])", R"([7,"stdout",{"base64":"?"}])"}) {
    CAPTURE(output);
    const auto ends = decode_batch_ends(R"({"ends":[],"outputs":[)" + output + "]}", kBatch);
    REQUIRE(!ends);
    CHECK(ends.error().message.find('\n') == std::string::npos);
  }
}

TEST_CASE("a question about ends reads back as it was written, and has its defaults") {
  BatchEndsQuery query;
  query.open = {{0, 3}, {3, 1}, {99'999'999, 1}};
  query.limit = 7;
  query.wait_seconds = 300;
  query.output_bytes = 65'536;
  CHECK(*decode_batch_ends_query(encode(query)) == query);
  CHECK(*decode_batch_ends_query("{}") == BatchEndsQuery{});
}

TEST_CASE("a question about ends that makes no sense is refused in one line") {
  for (const std::string body :
       {"", "[]", R"({"open":[[3,0]]})", R"({"open":[[3,2],[4,1]]})", R"({"open":[[-1,2]]})", R"({"open":[[1]]})",
        R"({"open":[[100000000,1]]})", R"({"open":[[1,2,3]]})", R"({"limit":0})", R"({"limit":1001})",
        R"({"wait":301})", R"({"outputs":65537})", R"({"outputs":true})", R"({"wait":1,"wait":2})",
        R"({"open":[[1,9223372036854775807]]})"}) {
    CAPTURE(body);
    const auto query = decode_batch_ends_query(body);
    REQUIRE(!query);
    CHECK(query.error().message.find('\n') == std::string::npos);
  }
}

TEST_CASE("damaged ends of a batch are read or refused, and never a crash") {
  std::mt19937 random(20260103);
  const std::string text = encode(kBatch, {some_ends(), some_outputs()});
  int accepted = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string damaged = text;
    for (auto changes = random() % 3; changes-- > 0;) {
      const std::size_t at = random() % damaged.size();
      if (random() % 2 == 0) damaged[at] = static_cast<char>(random() % 128);
      if (random() % 4 == 0) damaged.erase(at, random() % 8);
    }
    const auto ends = decode_batch_ends(damaged, kBatch);
    if (ends) ++accepted;
    if (!ends) CHECK(ends.error().message.find('\n') == std::string::npos);
  }
  CHECK(accepted > 0);
  CHECK(accepted < 3000);
}
