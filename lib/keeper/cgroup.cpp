#include "keeper/cgroup.hpp"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <functional>

#include "keeper/clocks.hpp"
#include "keeper/proc.hpp"

namespace hakuriver::keeper {
namespace {

constexpr std::size_t kMaxText = std::size_t{16} << 20;
constexpr int kMaxDepth = 16;
constexpr int kFreezeLooks = 20;
constexpr timespec kFreezeNap{0, 250'000};

template <class Number>
std::optional<Number> to_number(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string read_or_empty(const std::string& path) { return read_text(path.c_str(), kMaxText).value_or(std::string()); }

// 0, or errno.
int write_text(const std::string& path, std::string_view text) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file) return errno;
  return ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : errno;
}

std::vector<std::string> directories_of(const CgroupParent& parent) {
  if (!parent.unified.empty()) return {parent.unified};
  std::vector<std::string> directories;
  for (const auto* path : {&parent.freezer, &parent.cpu, &parent.cpuacct, &parent.memory}) {
    const bool known = std::find(directories.begin(), directories.end(), *path) != directories.end();
    if (!path->empty() && !known) directories.push_back(*path);
  }
  return directories;
}

void for_each_directory(const std::string& path, const std::function<void(const std::string&)>& visit) {
  DIR* directory = ::opendir(path.c_str());
  if (directory == nullptr) return;
  while (const dirent* entry = ::readdir(directory)) {
    if (entry->d_type == DT_DIR && entry->d_name[0] != '.') visit(entry->d_name);
  }
  ::closedir(directory);
}

// A cgroup's directory has two links and one for each below it.
bool has_children(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && status.st_nlink > 2;
}

void gather_processes(const std::string& path, int depth, std::vector<pid_t>& pids) {
  const auto text = read_or_empty(path + "/cgroup.procs");
  for (std::string_view rest = text; !rest.empty();) {
    const auto end = std::min(rest.find('\n'), rest.size());
    const auto pid = to_number<pid_t>(rest.substr(0, end));
    if (pid && *pid > 0) pids.push_back(*pid);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (depth == 0 || !has_children(path)) return;
  for_each_directory(path, [&](const std::string& name) { gather_processes(path + "/" + name, depth - 1, pids); });
}

// 0, or errno. A task that may do so has perhaps made cgroups of its own below.
int remove_tree(const std::string& path, int depth) {
  if (depth > 0 && has_children(path)) {
    for_each_directory(path, [&](const std::string& name) { remove_tree(path + "/" + name, depth - 1); });
  }
  return ::rmdir(path.c_str()) == 0 || errno == ENOENT ? 0 : errno;
}

void add_attempt(std::vector<AttemptKey>& keys, std::string_view name) {
  const auto dot = name.find('.');
  if (dot == std::string_view::npos) return;
  const auto task = to_number<std::uint64_t>(name.substr(0, dot));
  const auto attempt = to_number<std::uint32_t>(name.substr(dot + 1));
  if (!task || !attempt) return;
  const AttemptKey key{TaskId{*task}, Attempt{*attempt}};
  if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
}

std::string name_of(AttemptKey key) { return to_string(key.task) + "." + std::to_string(key.attempt.value); }

}  // namespace

std::optional<std::uint64_t> value_of(std::string_view text, std::string_view name) {
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.size() > name.size() && line.starts_with(name) && line[name.size()] == ' ') {
      return to_number<std::uint64_t>(line.substr(name.size() + 1));
    }
  }
  return std::nullopt;
}

CpuQuota quota_of(std::uint64_t millicores) {
  constexpr std::uint64_t kMaxMillicores = 100'000'000;  // whatever is more than any machine has
  millicores = std::min(millicores, kMaxMillicores);
  if (millicores < 10) return {millicores * 1000, 1'000'000};
  return {millicores * 100, 100'000};
}

Status make_parent(const CgroupParent& parent) {
  for (const auto& directory : directories_of(parent)) {
    if (::mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST) return io_error(directory, errno);
  }
  if (parent.unified.empty()) return Unit{};
  // One after the other: one that is not there must not hinder the other.
  for (const char* controller : {"+cpu", "+memory"}) {
    static_cast<void>(write_text(parent.unified + "/cgroup.subtree_control", controller));
  }
  return Unit{};
}

void remove_parent(const CgroupParent& parent) {
  for (const auto& directory : directories_of(parent)) ::rmdir(directory.c_str());
}

std::vector<AttemptKey> attempts_below(const CgroupParent& parent) {
  std::vector<AttemptKey> keys;
  for (const auto& directory : directories_of(parent)) {
    for_each_directory(directory, [&](const std::string& name) { add_attempt(keys, name); });
  }
  return keys;
}

std::vector<AttemptKey> attempts_around(pid_t pid) {
  std::vector<AttemptKey> keys;
  const auto text = read_or_empty("/proc/" + std::to_string(pid) + "/cgroup");
  for (std::string_view rest = text; !rest.empty();) {
    const auto end = std::min(rest.find_first_of("/\n"), rest.size());
    add_attempt(keys, rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return keys;
}

Cgroup::Cgroup(CgroupParent parent, AttemptKey key) : parent_(std::move(parent)), name_(name_of(key)) {
  for (const auto& directory : directories_of(parent_)) directories_.push_back(directory + "/" + name_);
}

Cgroup::Cgroup(const UnitCgroup& unit) : is_ours_(false) {
  const auto above = [this](const std::string& directory) {
    if (directory.empty()) return std::string();
    const auto slash = directory.rfind('/');
    name_ = directory.substr(slash + 1);
    if (std::find(directories_.begin(), directories_.end(), directory) == directories_.end()) {
      directories_.push_back(directory);
    }
    return directory.substr(0, slash);
  };
  parent_.unified = above(unit.unified);
  above(unit.named);
  parent_.freezer = above(unit.freezer);
  parent_.cpuacct = above(unit.cpuacct);
  parent_.memory = above(unit.memory);
}

bool Cgroup::can_freeze() const {
  if (directories_.empty()) return false;
  const auto order = is_unified() ? in(parent_.unified, "cgroup.freeze") : in(parent_.freezer, "freezer.state");
  return is_ours_ || ::access(order.c_str(), W_OK) == 0;
}

std::string Cgroup::in(const std::string& parent, const char* file) const { return parent + "/" + name_ + "/" + file; }

bool Cgroup::reads(const std::string& path, std::string_view text) const {
  return std::string_view(read_or_empty(path)).starts_with(text);
}

Status Cgroup::make(std::uint64_t millicores, std::uint64_t memory_bytes, int& error) {
  const auto own = directories_;
  for (const auto& directory : own) {
    if (::mkdir(directory.c_str(), 0755) == 0 || errno == EEXIST) continue;
    error = errno;
    remove();
    return io_error(directory, error);
  }
  auto limited = set_limits(millicores, memory_bytes, error);
  if (!limited) remove();
  return limited;
}

Status Cgroup::limit(const std::string& path, const std::string& value, int& error) const {
  error = write_text(path, value);
  if (error == 0) return Unit{};
  return io_error(path, error);
}

Status Cgroup::set_quota(std::uint64_t millicores, int& error) const {
  const auto [quota, period] = quota_of(millicores);
  if (is_unified()) {
    return limit(in(parent_.unified, "cpu.max"), std::to_string(quota) + " " + std::to_string(period), error);
  }
  auto set = limit(in(parent_.cpu, "cpu.cfs_period_us"), std::to_string(period), error);
  return set ? limit(in(parent_.cpu, "cpu.cfs_quota_us"), std::to_string(quota), error) : set;
}

Status Cgroup::lift_quota(int& error) const {
  if (is_unified()) return limit(in(parent_.unified, "cpu.max"), "max", error);
  return limit(in(parent_.cpu, "cpu.cfs_quota_us"), "-1", error);
}

Status Cgroup::begin_quota(std::uint64_t millicores) const {
  if (!*this || !parent_.limits_cores || millicores == 0 || millicores >= kMillicoresToStart) return Unit{};
  int error = 0;
  return set_quota(millicores, error);
}

Status Cgroup::set_limits(std::uint64_t millicores, std::uint64_t memory_bytes, int& error) const {
  if (parent_.limits_cores && millicores != 0) {
    auto set = set_quota(millicores, error);
    if (set && millicores < kMillicoresToStart) set = lift_quota(error);
    if (!set) return set;
  }
  if (!parent_.limits_memory || memory_bytes == 0) return Unit{};
  const auto bytes = std::to_string(memory_limit_of(memory_bytes));
  if (is_unified()) {
    // There is none where the kernel has no swap.
    static_cast<void>(write_text(in(parent_.unified, "memory.swap.max"), "0"));
    return limit(in(parent_.unified, "memory.max"), bytes, error);
  }
  auto set = limit(in(parent_.memory, "memory.limit_in_bytes"), bytes, error);
  // Of memory and swap together; there is none where the kernel does not count swap.
  if (set) static_cast<void>(write_text(in(parent_.memory, "memory.memsw.limit_in_bytes"), bytes));
  return set;
}

std::vector<Descriptor> Cgroup::entrances() const {
  std::vector<Descriptor> entrances;
  for (const auto& directory : directories_) {
    // Version 1 moves the calling thread, the only one, without the kernel's lock on all processes.
    const auto path = directory + (is_unified() ? "/cgroup.procs" : "/tasks");
    entrances.emplace_back(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!entrances.back()) return {};
  }
  return entrances;
}

Descriptor Cgroup::birthplace() const {
  if (directories_.empty() || !is_unified()) return Descriptor();
  return Descriptor(::open(directories_.front().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

std::vector<pid_t> Cgroup::processes() const {
  std::vector<pid_t> pids;
  for (const auto& directory : directories_) gather_processes(directory, kMaxDepth, pids);
  std::sort(pids.begin(), pids.end());
  pids.erase(std::unique(pids.begin(), pids.end()), pids.end());
  return pids;
}

bool Cgroup::holds(pid_t pid) const {
  if (directories_.empty()) return false;
  // Lines "number:controllers:path"; the path ends in our name or goes on below it.
  const auto text = read_or_empty("/proc/" + std::to_string(pid) + "/cgroup");
  const auto below = directories_.front().substr(0, directories_.front().rfind('/'));
  const auto inside = (is_ours_ ? below.substr(below.rfind('/')) : std::string()) + "/" + name_;
  for (auto at = text.find(inside); at != std::string::npos; at = text.find(inside, at + 1)) {
    const auto after = at + inside.size();
    if (after == text.size() || text[after] == '\n' || text[after] == '/') return true;
  }
  return false;
}

bool Cgroup::freeze(bool frozen) const {
  if (!can_freeze()) return true;
  const bool v2 = is_unified();
  const auto order = in(v2 ? parent_.unified : parent_.freezer, v2 ? "cgroup.freeze" : "freezer.state");
  const char* word = frozen ? (v2 ? "1" : "FROZEN") : (v2 ? "0" : "THAWED");
  for (int look = 0; look < kFreezeLooks; ++look) {
    if (look > 0) ::nanosleep(&kFreezeNap, nullptr);
    if (write_text(order, word) == ENOENT) return true;
    if (v2 ? value_of(read_or_empty(in(parent_.unified, "cgroup.events")), "frozen") == (frozen ? 1u : 0u)
           : reads(order, word)) {
      return true;
    }
  }
  return false;
}

bool Cgroup::is_frozen() const {
  if (!can_freeze()) return false;
  if (is_unified()) return reads(in(parent_.unified, "cgroup.freeze"), "1");
  return reads(in(parent_.freezer, "freezer.state"), "FR");  // FROZEN, or FREEZING
}

void Cgroup::kill() const {
  if (directories_.empty()) return;
  // Linux 5.14 has it; the whole tree below it is meant, and what forks meanwhile.
  if (is_unified() && write_text(in(parent_.unified, "cgroup.kill"), "1") == 0) return;
  freeze(true);  // so that nothing forks away
  for (const pid_t pid : processes()) {
    // The id may be another's by the time that it is used; a pidfd's process may not.
    const Descriptor pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (pidfd && holds(pid)) ::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0);
  }
  freeze(false);
}

CgroupCounts Cgroup::counts() const {
  CgroupCounts counts;
  if (is_unified()) {
    const auto& parent = parent_.unified;
    counts.cpu_microseconds = value_of(read_or_empty(in(parent, "cpu.stat")), "usage_usec").value_or(0);
    counts.peak_bytes = to_number<std::uint64_t>(read_or_empty(in(parent, "memory.peak"))).value_or(0);
    counts.oom_kills = value_of(read_or_empty(in(parent, "memory.events")), "oom_kill").value_or(0);
  }
  if (!parent_.cpuacct.empty()) {
    const auto nanoseconds = to_number<std::uint64_t>(read_or_empty(in(parent_.cpuacct, "cpuacct.usage")));
    counts.cpu_microseconds = nanoseconds.value_or(0) / 1000;
  }
  if (!parent_.memory.empty()) {
    const auto peak = to_number<std::uint64_t>(read_or_empty(in(parent_.memory, "memory.max_usage_in_bytes")));
    counts.peak_bytes = peak.value_or(0);
    counts.oom_kills = value_of(read_or_empty(in(parent_.memory, "memory.oom_control")), "oom_kill").value_or(0);
  }
  return counts;
}

bool Cgroup::remove() {
  if (!is_ours_) {
    if (!processes().empty()) return false;
    directories_.clear();
    return true;
  }
  std::erase_if(directories_, [](const std::string& directory) { return remove_tree(directory, kMaxDepth) == 0; });
  return directories_.empty();
}

}  // namespace hakuriver::keeper
