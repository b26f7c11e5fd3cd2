#include "service/pin_lane.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

namespace hakuriver::service {
namespace {

constexpr std::size_t kMostWaiting = 10'000;

struct Question {
  std::string container;
  PinLane::Done done;
};

Error no_answer(const std::string& container) {
  return {Errc::unavailable,
          "container '" + container + "': the directory of packages does not answer; is its file system there?"};
}

}  // namespace

struct PinLane::State {
  using Clock = std::chrono::steady_clock;

  Pin pin;
  std::chrono::milliseconds patience{0};
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Question> waiting;
  std::optional<Clock::time_point> asked_at;  // since when `pin` has been asked
  bool has_thread = false;
  std::mutex answering;  // held while an answer is given; is_over is under both
  bool is_over = false;

  bool is_stuck() const { return asked_at && Clock::now() - *asked_at > patience; }

  void answer(Question& question, Result<std::string> pinned) {
    const std::lock_guard guard(answering);
    if (!is_over) question.done(std::move(pinned));
  }
};

PinLane::PinLane(Pin pin, std::chrono::milliseconds patience) : state_(std::make_shared<State>()) {
  state_->pin = std::move(pin);
  state_->patience = patience;
}

PinLane::~PinLane() {
  const std::scoped_lock guard(state_->answering, state_->mutex);
  state_->is_over = true;
  state_->changed.notify_all();
}

void PinLane::run(const std::shared_ptr<State>& state) {
  std::unique_lock lock(state->mutex);
  while (true) {
    state->changed.wait(lock, [&] { return state->is_over || !state->waiting.empty(); });
    if (state->is_over) return;
    Question question = std::move(state->waiting.front());
    state->waiting.pop_front();
    state->asked_at = State::Clock::now();
    lock.unlock();
    state->answer(question, state->pin(question.container));
    question = {};
    lock.lock();
    state->asked_at.reset();
  }
}

void PinLane::ask(std::string container, Done done) {
  std::deque<Question> given_up;
  {
    const std::lock_guard guard(state_->mutex);
    state_->waiting.push_back({std::move(container), std::move(done)});
    if (!state_->has_thread) {
      try {
        std::thread(run, state_).detach();
        state_->has_thread = true;
      } catch (const std::system_error&) {
        given_up.swap(state_->waiting);
      }
    }
    if (state_->is_stuck() || state_->waiting.size() > kMostWaiting) given_up.swap(state_->waiting);
    state_->changed.notify_all();
  }
  for (auto& question : given_up) state_->answer(question, no_answer(question.container));
}

}  // namespace hakuriver::service
