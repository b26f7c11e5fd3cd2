#include <algorithm>

#include "keeper/protocol.hpp"

namespace hakuriver::keeper {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMaxGroups = 65536;  // the kernel's NGROUPS_MAX
constexpr std::size_t kMaxControlWords = 64;
constexpr std::size_t kMaxUnit = 255;
constexpr std::chrono::milliseconds kMaxTimeLimit = 24h * 36525;

Error refuse(std::string message) { return Error{Errc::invalid_argument, std::move(message)}; }

bool has_nul(const std::string& text) { return text.find('\0') != std::string::npos; }

bool is_path(const std::string& path) {
  return !path.empty() && path.front() == '/' && path.size() <= kMaxPath && !has_nul(path);
}

// Those that are needed are there.
Status check_cgroup(const CgroupParent& parent) {
  if (parent.empty()) return Unit{};
  for (const auto* path : {&parent.unified, &parent.freezer, &parent.cpu, &parent.cpuacct, &parent.memory}) {
    if (path->empty() || (is_path(*path) && path->size() <= kMaxCgroupPath)) continue;
    return refuse("cgroup '" + path->substr(0, 64) + "': expected an absolute path of at most " +
                  std::to_string(kMaxCgroupPath) + " bytes");
  }
  const bool lacks = parent.unified.empty() &&
                     ((parent.limits_cores && parent.cpu.empty()) || (parent.limits_memory && parent.memory.empty()));
  if (lacks) return refuse("cgroups without the controller of a limit");
  return Unit{};
}

// As systemd.unit(5) has it.
bool is_unit_name(const std::string& unit) {
  constexpr std::string_view kSigns = ":-_.\\@";
  if (unit.size() > kMaxUnit || unit.front() == '.') return false;
  return std::all_of(unit.begin(), unit.end(), [kSigns](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kSigns.find(c) != std::string_view::npos;
  });
}

Status check_control(const StartRequest& request) {
  const auto& control = request.control;
  std::size_t bytes = 0;
  for (const auto& word : control) bytes += word.size();
  if (control.size() > kMaxControlWords || bytes > kMaxControl ||
      std::any_of(control.begin(), control.end(), has_nul)) {
    return refuse("a launcher's program of " + std::to_string(control.size()) + " words and " + std::to_string(bytes) +
                  " bytes: expected at most " + std::to_string(kMaxControlWords) + " and " +
                  std::to_string(kMaxControl) + ", and no NUL");
  }
  if (!control.empty() && !is_path(control.front())) {
    return refuse("a launcher's program '" + control.front().substr(0, 64) + "': expected an absolute path");
  }
  if (!request.unit.empty() && (!request.reports_start || !is_unit_name(request.unit))) {
    return refuse("unit '" + request.unit.substr(0, 64) + "': expected the name of a unit whose start is reported");
  }
  if (!request.cgroup.empty() && (!control.empty() || !request.unit.empty())) {
    return refuse("a cgroup of the keeper's and a launcher's own: expected one of them");
  }
  return Unit{};
}

Status check_user(const TaskUser& user) {
  // To the kernel it means no change.
  constexpr std::uint32_t kNobodyAtAll = ~0u;
  if (user.uid == kNobodyAtAll || user.gid == kNobodyAtAll) {
    return refuse("user " + std::to_string(user.uid) + " of group " + std::to_string(user.gid) +
                  ": expected numbers below " + std::to_string(kNobodyAtAll));
  }
  if (user.groups.size() > kMaxGroups) {
    return refuse(std::to_string(user.groups.size()) + " groups: expected at most " + std::to_string(kMaxGroups));
  }
  return Unit{};
}

Status check_special(const StartRequest& request) {
  if (!is_special(request)) return Unit{};
  const auto user = request.user ? check_user(*request.user) : Status(Unit{});
  if (!user) return user;
  if (request.niceness < 0 || request.niceness > 19) {
    return refuse("niceness " + std::to_string(request.niceness) + ": expected 0 to 19");
  }
  if (request.time_limit < 0ms || request.time_limit > kMaxTimeLimit || request.time_limit_grace < 0ms ||
      request.time_limit_grace > 24h) {
    return refuse("a time limit of " + std::to_string(request.time_limit.count()) + " ms with a grace of " +
                  std::to_string(request.time_limit_grace.count()) +
                  " ms: expected at most a hundred years, and at most a day");
  }
  if (request.refusal.size() > kMaxRefusal || has_nul(request.refusal)) {
    return refuse("a refusal of " + std::to_string(request.refusal.size()) + " bytes: expected at most " +
                  std::to_string(kMaxRefusal) + ", and no NUL");
  }
  return check_control(request);
}

}  // namespace

Status check_start(const StartRequest& request) {
  if (request.argv.empty() || request.argv.front().empty()) return refuse("a command without a first word");
  if (std::any_of(request.argv.begin(), request.argv.end(), has_nul)) return refuse("a command with a NUL byte");
  if (std::any_of(request.environment.begin(), request.environment.end(), has_nul)) {
    return refuse("an environment with a NUL byte");
  }
  for (const auto* path : {&request.working_directory, &request.stdout_path, &request.stderr_path}) {
    if (!is_path(*path)) {
      return refuse("path '" + path->substr(0, 64) + "': expected an absolute path of at most " +
                    std::to_string(kMaxPath) + " bytes");
    }
  }
  if (std::any_of(request.cpus.begin(), request.cpus.end(), [](std::uint32_t cpu) { return cpu >= 8192; }) ||
      request.numa_node.value_or(0) >= 1024) {
    return refuse("a CPU or NUMA node number beyond 8191 or 1023");
  }
  const auto checked = check_special(request);
  if (!checked) return checked;
  return check_cgroup(request.cgroup);
}

}  // namespace hakuriver::keeper
