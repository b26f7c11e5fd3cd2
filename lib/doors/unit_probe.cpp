#include "doors/unit_probe.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "keeper/spawn.hpp"
#include "platform/cgroup_limits.hpp"
#include "platform/files.hpp"

namespace hakuriver::doors {
namespace {

constexpr std::uint64_t kSomeCores = 1000;
constexpr std::uint64_t kSomeMemory = std::uint64_t{64} << 20;
constexpr int kPatienceMs = 20'000;
constexpr int kPauseMs = 200;
constexpr std::size_t kMaxText = std::size_t{16} << 10;

// A unit's main process, as the keeper would see it.
struct Started {
  pid_t pid = -1;
  std::string report;
  std::string errors;
};

struct Pipe {
  keeper::Descriptor out;
  keeper::Descriptor in;
};

Pipe make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return {};
  return {keeper::Descriptor(ends[0]), keeper::Descriptor(ends[1])};
}

// Until its end, or until it has been silent for too long.
std::string read_all(int file) {
  std::string text;
  std::array<char, 4096> buffer;
  pollfd ready{file, POLLIN, 0};
  while (text.size() < kMaxText && ::poll(&ready, 1, kPatienceMs) > 0) {
    const auto count = ::read(file, buffer.data(), buffer.size());
    if (count == 0) break;
    if (count > 0) text.append(buffer.data(), static_cast<std::size_t>(count));
  }
  return text;
}

std::vector<char*> pointers_to(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (const auto& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

struct Files {
  int output = -1;
  int error = -1;
  int report = -1;
};

// What has no file of its own is on /dev/null.
pid_t spawn(const Argv& words, const std::vector<std::string>& environment, const Files& files) {
  const keeper::Descriptor null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  auto argv = pointers_to(words);
  auto variables = pointers_to(environment);
  keeper::SpawnPlan plan;
  plan.program = argv.front();
  plan.argv = argv.data();
  plan.environment = variables.data();
  plan.input = null.get();
  plan.output = files.output >= 0 ? files.output : null.get();
  plan.error = files.error >= 0 ? files.error : null.get();
  plan.extra = files.report;
  plan.directory = "/";
  keeper::Spawned spawned;
  keeper::Spawner spawner;
  return spawner.spawn_with_signals_blocked(plan, spawned) ? -1 : spawned.pid;
}

Started start(const StartRequest& request) {
  Started started;
  auto report = make_pipe();
  auto errors = make_pipe();
  if (!report.in || !errors.in) return started;
  started.pid = spawn(request.argv, request.environment, {-1, errors.in.get(), report.in.get()});
  report.in.close();
  errors.in.close();
  if (started.pid < 0) return started;
  started.report = read_all(report.out.get());
  if (started.report.empty() || started.report.front() == '\0') started.errors = read_all(errors.out.get());
  return started;
}

// The status of a child, which is killed, with its session, where it takes too long.
int await(pid_t pid) {
  const keeper::Descriptor process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  pollfd ended{process.get(), POLLIN, 0};
  if (process && ::poll(&ended, 1, kPatienceMs) == 0) ::kill(-pid, SIGKILL);
  int status = -1;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

bool control(const StartRequest& request, const char* verb) {
  Argv words = request.control;
  words.emplace_back(verb);
  const pid_t pid = spawn(words, {}, {});
  return pid > 0 && await(pid) == 0;
}

// As a keeper does it, again and again, but not for ever.
bool finish(const StartRequest& request) {
  constexpr int kTries = 5;
  for (int tried = 0; tried < kTries; ++tried) {
    if (tried != 0) ::poll(nullptr, 0, kPauseMs);
    if (control(request, "finish")) return true;
  }
  return false;
}

struct Ended {
  int status = -1;      // of its main process
  bool is_done = true;  // by the verbs of its control program, where it has one
};

// Ends what was started, whether or not it is below this process.
Ended end(const StartRequest& request, const Started& started, bool by_force) {
  Ended ended;
  if (started.pid < 0) return ended;
  const bool is_controlled = !request.control.empty();
  if (by_force && is_controlled) ended.is_done = control(request, "kill");
  if (by_force && !is_controlled) ::kill(started.pid, SIGKILL);
  ended.status = await(started.pid);
  if (is_controlled) ended.is_done = finish(request) && ended.is_done;
  return ended;
}

StartRequest request_of(const SystemdLauncher& launcher, bool private_network, bool private_pid, Argv command) {
  StartRequest request;
  request.key = {TaskId{static_cast<std::uint64_t>(::getpid())}, Attempt{1}};
  request.argv = std::move(command);
  request.environment = {"PATH=/usr/bin:/bin"};
  request.millicores = kSomeCores;
  request.memory_bytes = kSomeMemory;
  TaskSpec spec;
  spec.private_network = private_network;
  spec.private_pid = private_pid;
  return wrap_in_unit(launcher, std::move(request), spec);
}

std::string reason_of(const Started& started) {
  if (started.pid < 0) return "hakuriver-systemd cannot be executed";
  std::string_view text = started.report.empty() ? started.errors : started.report;
  if (text.starts_with('\0')) text.remove_prefix(std::min(text.size(), text.find(' ') + 1));
  text = text.substr(0, text.find('\n'));
  return text.empty() ? "nothing was started, and no reason was given" : std::string(text);
}

std::string line_of(const std::string& path) {
  auto text = platform::read_file(path, 4096);
  return text ? text->substr(0, text->find('\n')) : std::string();
}

UnitLimits read_limits(const std::string& report, const std::string& unit) {
  const auto mounts = platform::read_file("/proc/self/mountinfo", std::size_t{1} << 20);
  if (!mounts) return {};
  const auto directories = platform::parse_cgroup_directories(report, *mounts);
  const auto file = [&unit](const std::vector<std::string>& found, const char* name) {
    const bool is_own = !found.empty() && found.front().ends_with("/" + unit);
    return is_own ? line_of(found.front() + "/" + name) : std::string();
  };
  const auto quota = platform::parse_cpu_quota(file(directories.unified, "cpu.max"));
  const auto old_quota = platform::parse_cpu_quota(file(directories.cpu, "cpu.cfs_quota_us") + " " +
                                                   file(directories.cpu, "cpu.cfs_period_us"));
  const auto memory = platform::parse_memory_limit(file(directories.unified, "memory.max"));
  const auto old_memory = platform::parse_memory_limit(file(directories.memory, "memory.limit_in_bytes"));
  return {quota == kSomeCores || old_quota == kSomeCores, memory == kSomeMemory || old_memory == kSomeMemory};
}

}  // namespace

std::string first_line_of(const Argv& argv) {
  auto printed = make_pipe();
  if (!printed.in) return {};
  const pid_t pid = spawn(argv, {}, {printed.in.get(), -1, -1});
  printed.in.close();
  if (pid < 0) return {};
  const std::string text = read_all(printed.out.get());
  return await(pid) == 0 ? text.substr(0, text.find('\n')) : std::string();
}

Result<UnitLimits> probe_scope(const SystemdLauncher& launcher) {
  const auto request = request_of(launcher, false, false, {"/bin/sleep", "60"});
  const auto started = start(request);
  const bool runs = !started.report.empty() && started.report.front() != '\0';
  const auto limits = runs ? read_limits(started.report, unit_of(request.key.task, false)) : UnitLimits{};
  const auto ended = end(request, started, true);
  if (!runs) return Error{Errc::unavailable, reason_of(started)};
  if (!ended.is_done) return Error{Errc::unavailable, "a unit was started, and hakuriver-systemd could not end it"};
  return limits;
}

bool can_isolate(const SystemdLauncher& launcher, bool private_network, bool private_pid) {
  const auto request = request_of(launcher, private_network, private_pid, {"/bin/true"});
  const auto started = start(request);
  const auto ended = end(request, started, false);
  return ended.status == 0 && ended.is_done && !started.report.empty();
}

}  // namespace hakuriver::doors
