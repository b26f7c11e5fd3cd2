#include "keeper/control.hpp"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "keeper/clocks.hpp"
#include "keeper/crash_point.hpp"
#include "keeper/log.hpp"

namespace hakuriver::keeper {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kCallsAtOnce = 16;
constexpr std::size_t kMaxOutput = 4096;
constexpr auto kCallWithin = 30s;
constexpr std::uint32_t kMostDoublings = 6;

std::string read_all(int pipe) {
  std::string text(kMaxOutput, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const auto count = ::read(pipe, text.data() + size, text.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;  // whoever still holds the other end is not waited for
    size += static_cast<std::size_t>(count);
  }
  text.resize(size);
  return text;
}

}  // namespace

std::optional<MonotonicTime> Control::next_deadline() const {
  std::optional<MonotonicTime> until;
  if (!later_.empty()) until = later_.begin()->first;
  for (const auto& [pid, call] : calls_) {
    if (!until || call.until < *until) until = call.until;
  }
  return until;
}

void Control::work(MonotonicTime now) {
  for (auto& [pid, call] : calls_) {
    if (call.until > now) continue;
    log_line(std::string("the launcher of task ") + to_string(call.key.task) + " takes too long to " +
             word_of(call.verb));
    ::kill(-pid, SIGKILL);
    call.until = now + kCallWithin;
  }
  while (!later_.empty() && later_.begin()->first <= now) {
    trees_.controlled().push_back(later_.begin()->second);
    later_.erase(later_.begin());
  }
  for (const auto& key : std::exchange(trees_.controlled(), {})) {
    const auto* attempt = ledger_.find(key);
    if (attempt == nullptr || !attempt->controlled || !attempt->controlled->wanted) continue;
    if (std::find(waiting_.begin(), waiting_.end(), key) == waiting_.end()) waiting_.push_back(key);
    if (attempt->controlled->wanted == Verb::kill) hurry(key);
  }
  start_waiting();
}

// KILL does not wait for a gentler verb.
void Control::hurry(AttemptKey key) {
  for (const auto& [pid, call] : calls_) {
    if (call.key == key && call.verb < Verb::kill) ::kill(-pid, SIGKILL);
  }
}

void Control::start_waiting() {
  for (std::size_t left = waiting_.size(); left > 0 && calls_.size() < kCallsAtOnce; --left) {
    const auto key = waiting_.front();
    waiting_.pop_front();
    auto* attempt = ledger_.find(key);
    // What it is doing ends first, and then this is looked at again.
    if (attempt == nullptr || !attempt->controlled) continue;
    if (attempt->controlled->wanted && !attempt->controlled->asked) start(*attempt);
  }
}

void Control::start(LiveAttempt& attempt) {
  const auto verb = *std::exchange(attempt.controlled->wanted, std::nullopt);
  attempt.controlled->asked = verb;
  Spawned spawned;
  Descriptor output;
  if (!spawn(attempt.record.terms->control, verb, spawned, output)) return ended(attempt.key(), verb, false, {});
  crash_point(word_of(verb));
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kCallTag | static_cast<std::uint64_t>(spawned.pid);
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, spawned.pidfd.get(), &event);
  trees_.expect_child(spawned.pid, true);
  calls_.emplace(spawned.pid,
                 Call{attempt.key(), verb, std::move(spawned.pidfd), std::move(output), monotonic_now() + kCallWithin});
}

bool Control::spawn(const Argv& control, Verb verb, Spawned& spawned, Descriptor& output) {
  std::array<int, 2> ends{-1, -1};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return false;
  output = Descriptor(ends[0]);
  const Descriptor said(ends[1]);
  ::fcntl(output.get(), F_SETFL, O_NONBLOCK);
  const Descriptor null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) return false;
  std::string word = word_of(verb);
  std::vector<char*> argv;
  for (const auto& part : control) argv.push_back(const_cast<char*>(part.c_str()));
  argv.insert(argv.end(), {word.data(), nullptr});
  SpawnPlan plan;
  plan.program = control.front().c_str();
  plan.argv = argv.data();
  plan.environment = ::environ;
  plan.input = plan.error = null.get();
  plan.output = said.get();
  const auto failure = spawner_.spawn(plan, spawned);
  if (failure) log_line("launcher " + describe_errno(control.front(), failure->error));
  return !failure;
}

void Control::on_ready(pid_t pid) {
  const auto found = calls_.find(pid);
  int status = 0;
  if (found == calls_.end() || ::waitpid(pid, &status, WNOHANG) != pid) return;
  auto call = std::move(found->second);
  calls_.erase(found);
  trees_.expect_child(pid, false);
  ended(call.key, call.verb, WIFEXITED(status) && WEXITSTATUS(status) == 0, read_all(call.output.get()));
}

void Control::ended(AttemptKey key, Verb verb, bool well, std::string output) {
  auto* attempt = ledger_.find(key);
  if (attempt == nullptr || !attempt->controlled) return;
  attempt->controlled->asked.reset();
  if (!well) return failed(*attempt, verb);
  attempt->controlled->failures = 0;
  if (verb == Verb::finish) {
    crash_point("finished");
    attempt->controlled->report = parse_finish(output);
    return trees_.finished(*attempt);
  }
  if (verb == Verb::pause || verb == Verb::resume) trees_.held(*attempt, verb == Verb::pause);
  if (attempt->controlled->wanted) trees_.controlled().push_back(key);
}

void Control::failed(LiveAttempt& attempt, Verb verb) {
  auto& controlled = *attempt.controlled;
  log_line(std::string("the launcher of task ") + to_string(attempt.key().task) + " did not " + word_of(verb));
  // Something else may be wanted by now; KILL is asked for again by whoever wants it.
  const bool again = verb == Verb::finish || (verb == Verb::terminate && !attempt.main_ended);
  if (!controlled.wanted && !again) return;
  if (controlled.wanted) return trees_.controlled().push_back(attempt.key());
  controlled.wanted = verb;
  const auto pause = 1s * (1 << std::min(controlled.failures++, kMostDoublings));
  later_.emplace(monotonic_now() + pause, attempt.key());
}

}  // namespace hakuriver::keeper
