#include "engine/orphans.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <utility>

#include "platform/system_error.hpp"

namespace hakuriver::engine {
namespace {

constexpr std::size_t kReadSize = 16 * 1024;
constexpr std::size_t kMostText = 4 * 1024 * 1024;  // of /proc files

// A whole file of /proc from its beginning; what cannot be read is empty.
void read_all(int fd, std::string& text) {
  text.clear();
  while (text.size() < kMostText) {
    const std::size_t before = text.size();
    text.resize(before + kReadSize);
    const auto count = ::pread(fd, text.data() + before, kReadSize, static_cast<off_t>(before));
    text.resize(before + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    if (count <= 0) return;
  }
}

// Of an environment as /proc has it: entries with a NUL behind each.
std::string_view value_of(std::string_view environment, std::string_view name) {
  while (!environment.empty()) {
    const auto entry = environment.substr(0, environment.find('\0'));
    if (entry.size() > name.size() && entry.substr(0, name.size()) == name && entry[name.size()] == '=') {
      return entry.substr(name.size() + 1);
    }
    environment.remove_prefix(std::min(entry.size() + 1, environment.size()));
  }
  return {};
}

}  // namespace

Orphans::Orphans(std::string run) : run_(std::move(run)) {}

Result<Orphans> Orphans::adopt(std::string run) {
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) {
    return platform::system_error("cannot become the reaper of orphans", errno);
  }
  Orphans made(std::move(run));
  // Orphans become children of the first thread (exit(2) in the kernel, find_new_reaper).
  const std::string pid = std::to_string(::getpid());
  const std::string path = "/proc/self/task/" + pid + "/children";
  made.children_file_ = platform::Descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!made.children_file_.is_open()) return platform::system_error("cannot open '" + path + "'", errno);
  return made;
}

bool Orphans::are_there(std::size_t commands) {
  read_all(children_file_.get(), children_);
  return static_cast<std::size_t>(std::count(children_.begin(), children_.end(), ' ')) != commands;
}

std::optional<RunningCommand> Orphans::find_owner(pid_t pid) const {
  const std::string path = "/proc/" + std::to_string(pid) + "/environ";
  const platform::Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) return std::nullopt;
  std::string environment;
  read_all(file.get(), environment);
  if (value_of(environment, "HAKURUN_RUN") != run_) return std::nullopt;
  return RunningCommand{0, std::string(value_of(environment, "HAKURUN_INDEX")),
                        std::string(value_of(environment, "HAKURUN_ATTEMPT"))};
}

bool Orphans::belongs_to_any(pid_t pid, const Orphan& orphan, const std::vector<RunningCommand>& running) const {
  const pid_t group = ::getpgid(pid);
  return std::any_of(running.begin(), running.end(), [&](const RunningCommand& command) {
    if (command.pid == group) return true;
    return orphan.owner && orphan.owner->index == command.index && orphan.owner->attempt == command.attempt;
  });
}

void Orphans::end_abandoned(const std::vector<RunningCommand>& running, Clock::time_point now) {
  for (std::string_view rest = children_; !rest.empty();) {
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), pid);
    rest.remove_prefix(std::min(static_cast<std::size_t>(end - rest.data()) + 1, rest.size()));
    if (error != std::errc{}) return;
    const auto is_command = [pid](const RunningCommand& command) { return command.pid == pid; };
    if (std::any_of(running.begin(), running.end(), is_command)) continue;
    if (::waitpid(pid, nullptr, WNOHANG) != 0) {
      ending_ -= known_.count(pid) != 0 && known_[pid].deadline ? 1u : 0u;
      known_.erase(pid);
      continue;
    }
    const auto [place, is_new] = known_.try_emplace(pid);
    Orphan& orphan = place->second;
    if (is_new) orphan.owner = find_owner(pid);
    if (orphan.deadline || belongs_to_any(pid, orphan, running)) continue;
    if (orphan.owner || running.empty()) terminate(pid, orphan, now);
  }
}

void Orphans::terminate(pid_t pid, Orphan& orphan, Clock::time_point now) {
  ::kill(pid, SIGTERM);
  ::kill(pid, SIGCONT);
  orphan.deadline = now + kTermGrace;
  ++ending_;
}

void Orphans::check(Clock::time_point now) {
  for (auto place = known_.begin(); place != known_.end();) {
    auto& [pid, orphan] = *place;
    if (::waitpid(pid, nullptr, WNOHANG) != 0) {
      if (orphan.deadline) --ending_;
      place = known_.erase(place);
      continue;
    }
    if (orphan.deadline && !orphan.killed && now >= *orphan.deadline) {
      ::kill(pid, SIGKILL);
      orphan.killed = true;
    }
    ++place;
  }
}

void Orphans::kill(Clock::time_point now) {
  for (auto& [pid, orphan] : known_) {
    if (!orphan.deadline) ++ending_;
    orphan.deadline = now;
  }
  check(now);
}

}  // namespace hakuriver::engine
