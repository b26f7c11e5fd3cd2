#include "keeper/node.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <random>
#include <thread>

#include "keeper/cgroup.hpp"
#include "platform/cgroup_limits.hpp"

namespace hakuriver::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
constexpr auto kPatience = 60s;

}  // namespace

bool eventually(const std::function<bool()>& ready) {
  for (const auto until = Clock::now() + kPatience; Clock::now() < until;) {
    if (ready()) return true;
    std::this_thread::sleep_for(1ms);
  }
  return ready();
}

char process_state(pid_t pid) {
  const auto stat = contents_of("/proc/" + std::to_string(pid) + "/stat");
  const auto close = stat.rfind(')');
  return close == std::string::npos || close + 2 >= stat.size() ? '-' : stat[close + 2];
}

CgroupParent test_cgroup(const char* version) {
  CgroupParent parent;
  if (version == nullptr) return parent;
  const auto own = platform::read_cgroup_directories();
  static int number = 0;
  const auto name = "/hakuriver-test-" + std::to_string(::getpid()) + "-" + std::to_string(++number);
  const auto below = [&name](const std::vector<std::string>& directories) {
    return directories.empty() ? std::string() : directories.front() + name;
  };
  if (std::string_view(version) == "2") {
    parent.unified = below(own.unified);
  } else {
    parent = {"", below(own.freezer), below(own.cpu), below(own.cpuacct), below(own.memory), true, true};
    if (parent.cpu.empty() || parent.memory.empty() || parent.cpuacct.empty()) parent = {};
  }
  const auto made = parent.empty() ? Status(Error{Errc::not_found, "no such hierarchy"}) : keeper::make_parent(parent);
  if (made) return parent;
  const auto why = std::string("cgroups of version ") + version + " cannot be made here: " + made.error().message;
  if (std::getenv("HAKURIVER_NO_SKIP") != nullptr) FAIL(why);
  MESSAGE("skipped, run without: " << why);
  return {};
}

Node::Node(NodeOptions options) : options_(std::move(options)) {
  std::random_device random;
  // Ids of other tests on this machine must not be ours: processes are known by them.
  base_ = (static_cast<std::uint64_t>(random()) << 30) + (std::uint64_t{random()} & 0xffffu) * 4096;
  if (options_.keeper_program.empty()) options_.keeper_program = HAKURIVER_TEST_KEEPER;
  if (options_.state_directory.empty()) options_.state_directory = scratch_ / "state";
  REQUIRE(::mkdir(out_directory().c_str(), 0755) == 0);
  auto port = keeper::open_keeper({.state_directory = state_directory(),
                                   .keeper_program = options_.keeper_program,
                                   .extra_arguments = {"--linger-ms=" + std::to_string(options_.linger_ms)}});
  REQUIRE(port.has_value());
  port_ = std::move(*port);
}

Node::~Node() {
  // A keeper that is made to die may do so even now; the next one takes up what is left.
  for (int lives = 0; lives < 3; ++lives) {
    const auto listing = connect();
    if (!listing) break;
    for (const auto& [number, attempt] : started) {
      static_cast<void>(port_->signal(attempt.key, TaskSignal::terminate, 0ms).has_value());
    }
    const auto is_over = [this](const auto& attempt) { return ended.contains(attempt.first); };
    wait([&] { return !gone.empty() || std::all_of(started.begin(), started.end(), is_over); });
    if (gone.empty()) break;
  }
  kill_keeper();
  if (!options_.cgroup.empty()) {
    CHECK(keeper::attempts_below(options_.cgroup) == std::vector<AttemptKey>{});
    keeper::remove_parent(options_.cgroup);
  }
}

Result<KeeperListing> Node::connect(const std::string& cluster, Epoch epoch) {
  auto listing = port_->take_over(cluster, epoch);
  if (!listing) return listing;
  started.clear();
  ended.clear();
  changed.clear();
  gone.clear();
  for (const auto& attempt : listing->attempts) {
    (attempt.state == KeptState::ended ? ended : started)[attempt.key.task.value - base_] = attempt;
  }
  return listing;
}

Result<KeeperListing> Node::connect_to_die_at(const std::string& point) {
  ::setenv("HAKURIVER_KEEPER_CRASH", point.c_str(), 1);
  auto listing = connect();
  ::unsetenv("HAKURIVER_KEEPER_CRASH");
  return listing;
}

void Node::lose_agent() {
  auto port = keeper::open_keeper({.state_directory = state_directory(),
                                   .keeper_program = options_.keeper_program,
                                   .extra_arguments = {"--linger-ms=" + std::to_string(options_.linger_ms)}});
  REQUIRE(port.has_value());
  port_ = std::move(*port);
}

pid_t Node::keeper_pid() const {
  const auto text = contents_of(state_directory() + "/lock");
  return text.empty() ? -1 : static_cast<pid_t>(std::stol(text));
}

void Node::kill_keeper() {
  const pid_t pid = keeper_pid();
  if (pid <= 1 || contents_of("/proc/" + std::to_string(pid) + "/cmdline").find(state_directory()) == std::string::npos)
    return;
  ::kill(pid, SIGKILL);
  CHECK(eventually([pid] { return is_gone(pid); }));
}

StartRequest Node::request(std::uint64_t number, Argv argv) const {
  StartRequest request;
  request.key = key(number);
  request.argv = std::move(argv);
  request.environment = {"PATH=/usr/local/bin:/usr/bin:/bin", "OUT=" + out_directory()};
  request.working_directory = out_directory();
  request.stdout_path = out_path(number);
  request.stderr_path = out_directory() + "/" + std::to_string(number) + ".err";
  request.cgroup = options_.cgroup;
  return request;
}

bool Node::wait(const std::function<bool()>& done) {
  KeeperEvents told;
  told.started = [this](const KeptAttempt& attempt) { ++events, started[attempt.key.task.value - base_] = attempt; };
  told.changed = [this](const KeptAttempt& attempt) { ++events, changed.push_back(attempt); };
  told.ended = [this](const KeptAttempt& attempt) { ++events, ended[attempt.key.task.value - base_] = attempt; };
  told.gone = [this](const Error& error) { gone.push_back(error); };
  for (const auto until = Clock::now() + kPatience; !done();) {
    if (Clock::now() > until) return false;
    pollfd ready{port_->descriptor(), POLLIN, 0};
    ::poll(&ready, 1, 100);
    port_->dispatch(told);
  }
  return true;
}

void Node::start(const StartRequest& request) {
  const auto queued = port_->start(request);
  REQUIRE(queued.has_value());
}

KeptAttempt Node::wait_for_end(std::uint64_t number) {
  CAPTURE(number);
  REQUIRE(wait([&] { return ended.contains(number) || !gone.empty(); }));
  REQUIRE(ended.contains(number));
  return ended[number];
}

KeptAttempt Node::run(const StartRequest& request) {
  start(request);
  return wait_for_end(request.key.task.value - base_);
}

bool Node::is_stopped(pid_t pid) const {
  if (options_.cgroup.empty()) return process_state(pid) == 'T';
  const auto around = keeper::attempts_around(pid);
  return !around.empty() && keeper::Cgroup(options_.cgroup, around.back()).is_frozen();
}

pid_t Node::wait_for_pid(const std::string& name) {
  const auto path = out_directory() + "/" + name;
  REQUIRE(wait([&] { return contents_of(path).ends_with("\n"); }));
  return static_cast<pid_t>(std::stol(contents_of(path)));
}

}  // namespace hakuriver::test
