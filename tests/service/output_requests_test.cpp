#include "service/output_requests.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "service/output_lane.hpp"
#include "service/runner_start.hpp"
#include "support/scratch_directory.hpp"

using namespace hakuriver;
using namespace hakuriver::service;

namespace {

struct Reply final : HttpResponder {
  void reply(HttpReply reply) override { promise.set_value(std::move(reply.body)); }
  std::shared_ptr<HttpStream> stream(HttpReply, std::function<void()>) override { return nullptr; }
  bool is_waiting() const override { return true; }

  std::promise<std::string> promise;
};

// A runner's question, and what it is answered.
struct Question {
  Question(OutputRequests& requests, const std::string& node, std::vector<wire::OutputPart> parts = {}) {
    requests.take({node, std::move(parts)}, responder);
  }
  std::vector<wire::OutputWant> wants() {
    auto wants = wire::decode_output_wants(responder->promise.get_future().get());
    REQUIRE(wants.has_value());
    return std::move(*wants);
  }
  std::shared_ptr<Reply> responder = std::make_shared<Reply>();
};

struct Asked {
  Asked(OutputRequests& requests, const std::string& node) {
    requests.ask(node, {.task = TaskId{7}, .attempt = Attempt{1}},
                 [promise = promise](Result<wire::OutputPart> part) { promise->set_value(std::move(part)); });
  }
  Result<wire::OutputPart> result() { return promise->get_future().get(); }
  std::shared_ptr<std::promise<Result<wire::OutputPart>>> promise =
      std::make_shared<std::promise<Result<wire::OutputPart>>>();
};

}  // namespace

TEST_CASE("what is wanted goes out with the node's question, whichever comes first") {
  OutputRequests requests;
  SUBCASE("the question waits") {
    Question question(requests, "a");
    Question other(requests, "b");
    Asked asked(requests, "a");
    const auto wants = question.wants();
    REQUIRE(wants.size() == 1);
    CHECK(wants[0].task == TaskId{7});
    // Of another node, or of a number that nobody waits for, it is dropped.
    Question wrong(requests, "b", {{.number = wants[0].number, .bytes = "wrong"}});
    Question right(requests, "a", {{.number = 99, .bytes = "stale"}, {.number = wants[0].number, .bytes = "right"}});
    CHECK(asked.result()->bytes == "right");
  }
  SUBCASE("the want waits") {
    Asked asked(requests, "a");
    Question question(requests, "a");
    const auto wants = question.wants();
    REQUIRE(wants.size() == 1);
    Question next(requests, "a", {{.number = wants[0].number, .is_absent = true, .error = "no such file"}});
    CHECK(asked.result().error().code == Errc::not_found);
  }
  SUBCASE("a second question of the node takes the place of the first") {
    Question first(requests, "a");
    Question second(requests, "a");
    CHECK(first.wants().empty());
    Asked asked(requests, "a");
    CHECK(second.wants().size() == 1);
  }
  SUBCASE("no more goes out at once than a message may hold") {
    std::vector<Asked> asked;
    for (std::size_t i = 0; i <= wire::kMaxOutputParts; ++i) asked.emplace_back(requests, "a");
    Question first(requests, "a");
    CHECK(first.wants().size() == wire::kMaxOutputParts);
    Question second(requests, "a");
    CHECK(second.wants().size() == 1);
  }
}

TEST_CASE("who waits for output is told in the end") {
  OutputRequests requests({std::chrono::milliseconds(20), std::chrono::milliseconds(20)});
  Asked asked(requests, "silent");
  const auto result = asked.result();
  CHECK(result.error().code == Errc::unavailable);
  CHECK(result.error().message == "node 'silent' does not answer");
  // What has run out is not asked for any more.
  Question question(requests, "silent");
  CHECK(question.wants().empty());
}

TEST_CASE("a thousand wants are enough") {
  OutputRequests requests({std::chrono::minutes(1), std::chrono::minutes(1)});
  std::vector<Asked> asked;
  for (int i = 0; i < 1'000; ++i) asked.emplace_back(requests, "a");
  Asked one_more(requests, "a");
  CHECK(one_more.result().error().code == Errc::unavailable);
}

TEST_CASE("a runner reads a part of a file, and says why it cannot") {
  const test::ScratchDirectory scratch;
  REQUIRE(create_output_directories(scratch.path()));
  const std::string path = stdout_path_of(scratch.path(), {TaskId{7}, Attempt{1}});
  const int file = ::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  REQUIRE(::write(file, "one\ntwo\nthree\n", 14) == 14);
  ::close(file);

  const auto middle = read_part(scratch.path(), {1, TaskId{7}, Attempt{1}, false, 4, 3, 0});
  CHECK(middle == wire::OutputPart{1, 4, 14, "two", false, ""});
  const auto tail = read_part(scratch.path(), {2, TaskId{7}, Attempt{1}, false, 0, 100, 1});
  CHECK(tail == wire::OutputPart{2, 8, 14, "three\n", false, ""});
  CHECK(read_part(scratch.path(), {3, TaskId{7}, Attempt{1}, true, 0, 100, 0}).is_absent);

  REQUIRE(::unlink(path.c_str()) == 0);
  REQUIRE(::symlink("/etc/passwd", path.c_str()) == 0);
  const auto link = read_part(scratch.path(), {4, TaskId{7}, Attempt{1}, false, 0, 100, 0});
  CHECK(link.bytes.empty());
  CHECK_FALSE(link.error.empty());
}

TEST_CASE("messages about output read back as they were written") {
  const wire::OutputPoll poll{"node-1", {{1, 2, 3, std::string("\xff\0x", 3), false, ""}, {2, 0, 0, "", true, "gone"}}};
  CHECK(*wire::decode_output_poll(wire::encode(poll)) == poll);
  const std::vector<wire::OutputWant> wants{{1, TaskId{2}, Attempt{3}, true, 4, 5, 6}};
  CHECK(*wire::decode_output_wants(wire::encode(wants)) == wants);

  wire::OutputPoll too_much{"node-1", std::vector<wire::OutputPart>(wire::kMaxOutputParts + 1)};
  CHECK(wire::decode_output_poll(wire::encode(too_much)).error().code == Errc::parse);
  too_much.parts.resize(1);
  too_much.parts[0].bytes.assign(wire::kMaxOutputPart + 1, 'x');
  CHECK(wire::decode_output_poll(wire::encode(too_much)).error().code == Errc::parse);
  CHECK(wire::decode_output_poll("{}").error().code == Errc::parse);
}
