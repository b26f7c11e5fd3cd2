#include "launch/account.hpp"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstring>
#include <utility>

#include "launch/cgroup_files.hpp"

namespace hakuriver::launch {
namespace {

// The directory of this process in a hierarchy; "": version 2. None where it shares that with others: a controller that
// its unit has no use for.
std::string directory_of(std::string_view controller) {
  const std::string cgroups = read_text("/proc/self/cgroup");
  std::string_view unit = cgroup_path(cgroups, "name=systemd");
  if (unit.empty()) unit = cgroup_path(cgroups, "");
  const std::string_view path = cgroup_path(cgroups, controller);
  if (path.empty() || path == "/" || path != unit) return {};
  const std::string directory = cgroup_directory(path, controller);
  return directory.empty() ? directory : directory + "/";
}

std::uint64_t number_of(std::string_view text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// The number behind `name` in lines of "name number".
std::uint64_t value_of(std::string_view text, std::string_view name) {
  for (const auto line : split(text, '\n')) {
    if (line.starts_with(name) && line.substr(name.size()).starts_with(' ')) {
      return number_of(line.substr(name.size() + 1));
    }
  }
  return 0;
}

std::uint64_t process_time() {
  rusage used{};
  ::getrusage(RUSAGE_CHILDREN, &used);
  const auto seconds = static_cast<std::uint64_t>(used.ru_utime.tv_sec + used.ru_stime.tv_sec);
  return seconds * 1'000'000 + static_cast<std::uint64_t>(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

constexpr std::pair<std::string_view, OutcomeKind> kKinds[] = {
    {"exited", OutcomeKind::exited}, {"signaled", OutcomeKind::signaled}, {"oom_killed", OutcomeKind::oom_killed}};

}  // namespace

Account take_account(int wait_status) {
  Account account;
  account.outcome = WIFSIGNALED(wait_status) ? Outcome{OutcomeKind::signaled, WTERMSIG(wait_status)}
                                             : Outcome{OutcomeKind::exited, WEXITSTATUS(wait_status)};
  std::uint64_t kills = 0;
  if (const auto memory = directory_of("memory"); !memory.empty()) {
    kills = value_of(read_text(memory + "memory.oom_control"), "oom_kill");
    account.peak_bytes = number_of(read_text(memory + "memory.max_usage_in_bytes"));
  }
  if (const auto unified = directory_of(""); !unified.empty()) {
    kills += value_of(read_text(unified + "memory.events"), "oom_kill");
    if (account.peak_bytes == 0) account.peak_bytes = number_of(read_text(unified + "memory.peak"));
    account.cpu_microseconds = value_of(read_text(unified + "cpu.stat"), "usage_usec");
  }
  if (account.cpu_microseconds == 0) account.cpu_microseconds = process_time();
  const bool ended_well = account.outcome == Outcome{OutcomeKind::exited, 0};
  if (kills != 0 && !ended_well) account.outcome = {OutcomeKind::oom_killed, SIGKILL};
  return account;
}

std::string to_text(const Account& account) {
  std::string text;
  for (const auto& [name, kind] : kKinds) {
    if (kind == account.outcome.kind) text = std::string(name) + " " + std::to_string(account.outcome.value) + "\n";
  }
  text += "cpu_microseconds " + std::to_string(account.cpu_microseconds) + "\n";
  if (account.peak_bytes != 0) text += "peak_bytes " + std::to_string(account.peak_bytes) + "\n";
  return text;
}

Result<Account> parse_account(std::string_view text) {
  Account account;
  bool has_outcome = false;
  for (const auto line : split(text, '\n')) {
    const auto name = line.substr(0, line.find(' '));
    const auto value = number_of(line.substr(std::min(line.size(), name.size() + 1)));
    for (const auto& [known, kind] : kKinds) {
      if (known != name) continue;
      account.outcome = {kind, static_cast<std::int32_t>(value)};
      has_outcome = true;
    }
    if (name == "cpu_microseconds") account.cpu_microseconds = value;
    if (name == "peak_bytes") account.peak_bytes = value;
  }
  if (!has_outcome) return Error{Errc::parse, "an account without an outcome"};
  return account;
}

Status write_account(const std::string& path, const Account& account) {
  const std::string text = to_text(account);
  const std::string fresh = path + ".new";
  const int file = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (file < 0) return Error{Errc::io, "'" + fresh + "': " + std::strerror(errno)};
  const bool written = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::close(file);
  if (written && ::rename(fresh.c_str(), path.c_str()) == 0) return Unit{};
  ::unlink(fresh.c_str());
  return Error{Errc::io, "'" + path + "': cannot be written"};
}

}  // namespace hakuriver::launch
