#include "service/pin_lane.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace hakuriver;
using service::PinLane;
using namespace std::chrono_literals;

namespace {

// Answers once it is let go.
struct HangingPin {
  Result<std::string> operator()(const std::string& container) const {
    called->set_value();
    gate.wait();
    return container + "@1";
  }
  std::shared_ptr<std::promise<void>> called = std::make_shared<std::promise<void>>();
  std::shared_future<void> gate;
};

PinLane::Done into(std::promise<Result<std::string>>& answer) {
  return [&answer](Result<std::string> pinned) { answer.set_value(std::move(pinned)); };
}

}  // namespace

TEST_CASE("what is asked is answered, in order") {
  PinLane lane([](const std::string& container) -> Result<std::string> { return container + "@7"; });
  std::vector<std::promise<Result<std::string>>> answers(20);
  for (std::size_t i = 0; i < answers.size(); ++i) lane.ask("box" + std::to_string(i), into(answers[i]));
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const auto pinned = answers[i].get_future().get();
    REQUIRE(pinned);
    CHECK(*pinned == "box" + std::to_string(i) + "@7");
  }
}

TEST_CASE("who asks while the files do not answer is told so, with those that wait") {
  std::promise<void> open;
  const HangingPin pin{.gate = open.get_future().share()};
  PinLane lane(pin, 0ms);
  std::promise<Result<std::string>> first, second, third;
  lane.ask("first", into(first));
  pin.called->get_future().wait();
  lane.ask("second", into(second));
  lane.ask("third", into(third));
  for (auto* refused : {&second, &third}) {
    const auto pinned = refused->get_future().get();
    REQUIRE(!pinned);
    CHECK(pinned.error().code == Errc::unavailable);
    CHECK(pinned.error().message.find("does not answer") != std::string::npos);
  }
  open.set_value();
  const auto pinned = first.get_future().get();
  REQUIRE(pinned);
  CHECK(*pinned == "first@1");
}

TEST_CASE("no more wait for an answer than there may be") {
  constexpr int kMost = 10'000;
  std::promise<void> open;
  const HangingPin pin{.gate = open.get_future().share()};
  std::promise<Result<std::string>> first;
  std::atomic<int> refused = 0;
  PinLane lane(pin, 1h);
  lane.ask("first", into(first));
  pin.called->get_future().wait();
  const auto count = [&refused](const Result<std::string>& pinned) { refused += pinned ? 0 : 1; };
  for (int i = 0; i < kMost; ++i) lane.ask("box", count);
  CHECK(refused == 0);
  lane.ask("box", count);
  CHECK(refused == kMost + 1);
  open.set_value();
  CHECK(first.get_future().get());
}

TEST_CASE("files that answered at last are asked again") {
  PinLane lane([](const std::string& container) -> Result<std::string> { return container; }, 1ms);
  bool is_pinned = false;
  // Who asks in the moment between an answer and its end may be told that it takes long.
  for (int tries = 0; tries < 1000 && !is_pinned; ++tries) {
    std::promise<Result<std::string>> before, answer;
    lane.ask("box", into(before));
    before.get_future().wait();
    std::this_thread::yield();
    lane.ask("box", into(answer));
    is_pinned = answer.get_future().get().has_value();
  }
  CHECK(is_pinned);
}

TEST_CASE("nobody waits for files that hang, and nobody is told of them afterwards") {
  std::promise<void> open;
  const HangingPin pin{.gate = open.get_future().share()};
  const auto called = pin.called;
  std::promise<void> ended;  // of the lane's thread, which keeps the last copy
  std::shared_ptr<void> last(nullptr, [&ended](void*) { ended.set_value(); });
  std::atomic<bool> is_told = false;
  {
    PinLane lane([pin, kept = last](const std::string& container) { return pin(container); });
    lane.ask("first", [&is_told](const Result<std::string>&) { is_told = true; });
    called->get_future().wait();
  }
  last.reset();
  open.set_value();
  ended.get_future().wait();
  CHECK(!is_told);
}
