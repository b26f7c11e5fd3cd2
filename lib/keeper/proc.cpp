#include "keeper/proc.hpp"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <unordered_set>

#include "keeper/clocks.hpp"
#include "keeper/descriptor.hpp"

namespace hakuriver::keeper {
namespace {

constexpr std::size_t kMaxEnvironment = std::size_t{4} << 20;

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string_view next_word(std::string_view& text, char separator) {
  const auto end = std::min(text.find(separator), text.size());
  const auto word = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return word;
}

std::string path_of(pid_t pid, const char* file) { return "/proc/" + std::to_string(pid) + "/" + file; }

bool points_to(pid_t pid, const char* file, const std::string& path) {
  std::string target(path.size() + 1, '\0');
  const auto size = ::readlink(path_of(pid, file).c_str(), target.data(), target.size());
  return size >= 0 && std::string_view(target).substr(0, static_cast<std::size_t>(size)) == path;
}

// Calls `visit` with each process id that /proc lists.
template <class Visit>
void for_each_process(Visit visit) {
  DIR* directory = ::opendir("/proc");
  if (directory == nullptr) return;
  while (const dirent* entry = ::readdir(directory)) {
    const auto pid = parse_number<pid_t>(entry->d_name);
    if (pid) visit(*pid);
  }
  ::closedir(directory);
}

}  // namespace

std::optional<std::string> read_text(const char* path, std::size_t limit) {
  const Descriptor file(::open(path, O_RDONLY | O_CLOEXEC));
  if (!file) return std::nullopt;
  std::string text;
  std::array<char, 4096> buffer;
  while (text.size() < limit) {
    const auto count = ::read(file.get(), buffer.data(), std::min(buffer.size(), limit - text.size()));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::nullopt;
    if (count == 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
  return text;
}

std::optional<ProcessStat> parse_stat(std::string_view text) {
  const auto open = text.find('(');
  const auto close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || open == 0 || close + 4 > text.size()) {
    return std::nullopt;
  }
  ProcessStat stat;
  const auto pid = parse_number<pid_t>(text.substr(0, open - 1));
  stat.name = std::string(text.substr(open + 1, close - open - 1));
  auto rest = text.substr(close + 2);
  if (rest.front() == ' ') return std::nullopt;
  stat.state = next_word(rest, ' ').front();
  const auto parent = parse_number<pid_t>(next_word(rest, ' '));
  next_word(rest, ' ');  // the process group
  const auto session = parse_number<pid_t>(next_word(rest, ' '));
  for (int field = 7; field < 20; ++field) next_word(rest, ' ');
  const auto threads = parse_number<std::int64_t>(next_word(rest, ' '));
  next_word(rest, ' ');  // always 0
  const auto start = parse_number<std::uint64_t>(next_word(rest, ' '));
  if (!pid || !parent || !session || !threads || !start) return std::nullopt;
  stat.threads = *threads;
  stat.pid = *pid;
  stat.parent = *parent;
  stat.session = *session;
  stat.start_ticks = *start;
  return stat;
}

std::optional<ProcessStat> read_stat(pid_t pid) {
  const Descriptor file(::open(path_of(pid, "stat").c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 2048> line;  // the kernel gives it whole at once
  const auto count = file ? ::read(file.get(), line.data(), line.size()) : -1;
  if (count <= 0) return std::nullopt;
  return parse_stat({line.data(), static_cast<std::size_t>(count)});
}

std::uint64_t start_ticks_since(std::uint64_t before, pid_t pid) {
  if (ticks_since_boot() == before) return before;
  const auto stat = read_stat(pid);
  return stat ? stat->start_ticks : 0;
}

std::optional<AttemptKey> parse_attempt(std::string_view environment) {
  constexpr std::string_view kTask = "HAKURIVER_TASK_ID=";
  constexpr std::string_view kAttempt = "HAKURIVER_TASK_ATTEMPT=";
  std::optional<std::uint64_t> task;
  std::optional<std::uint32_t> attempt;
  while (!environment.empty() && !(task && attempt)) {
    const auto entry = next_word(environment, '\0');
    if (entry.starts_with(kTask)) task = parse_number<std::uint64_t>(entry.substr(kTask.size()));
    if (entry.starts_with(kAttempt)) attempt = parse_number<std::uint32_t>(entry.substr(kAttempt.size()));
  }
  if (!task || !attempt) return std::nullopt;
  return AttemptKey{TaskId{*task}, Attempt{*attempt}};
}

std::optional<AttemptKey> read_attempt(pid_t pid) {
  const auto text = read_text(path_of(pid, "environ").c_str(), kMaxEnvironment);
  return text ? parse_attempt(*text) : std::nullopt;
}

std::optional<AttemptKey> read_attempt_patiently(pid_t pid) {
  constexpr timespec kNap{0, 1'000'000};
  for (int look = 0; look < 10; ++look) {
    const auto text = read_text(path_of(pid, "environ").c_str(), kMaxEnvironment);
    if (!text) return std::nullopt;
    if (!text->empty()) return parse_attempt(*text);
    ::nanosleep(&kNap, nullptr);
  }
  return std::nullopt;
}

std::vector<pid_t> read_children() {
  std::vector<pid_t> children;
  const auto text = read_text("/proc/thread-self/children", std::size_t{16} << 20);
  if (text) {
    for (std::string_view rest = *text; !rest.empty();) {
      const auto pid = parse_number<pid_t>(next_word(rest, ' '));
      if (pid) children.push_back(*pid);
    }
    return children;
  }
  // A kernel without CONFIG_PROC_CHILDREN.
  const pid_t self = ::getpid();
  for_each_process([&](pid_t pid) {
    const auto stat = read_stat(pid);
    if (stat && stat->parent == self) children.push_back(pid);
  });
  return children;
}

ProcessTable ProcessTable::read() {
  ProcessTable table;
  for_each_process([&](pid_t pid) {
    auto stat = read_stat(pid);
    if (!stat) return;
    table.children_.emplace(stat->parent, pid);
    if (!stat->is_dead()) table.sessions_.emplace(stat->session, pid);
    table.processes_.emplace(pid, std::move(*stat));
  });
  return table;
}

const ProcessStat* ProcessTable::find(pid_t pid) const {
  const auto found = processes_.find(pid);
  return found == processes_.end() ? nullptr : &found->second;
}

std::vector<pid_t> ProcessTable::writers_of(const std::string& path) const {
  std::vector<pid_t> writers;
  if (path.empty() || path.starts_with("/dev/")) return writers;
  const pid_t self = ::getpid();
  for (const auto& [pid, stat] : processes_) {
    if (stat.is_dead() || pid == self) continue;
    if (points_to(pid, "fd/1", path) || points_to(pid, "fd/2", path)) writers.push_back(pid);
  }
  return writers;
}

std::vector<pid_t> ProcessTable::session(pid_t id) const {
  std::vector<pid_t> members;
  const auto [first, last] = sessions_.equal_range(id);
  for (auto member = first; member != last; ++member) members.push_back(member->second);
  return members;
}

std::vector<pid_t> ProcessTable::with_descendants(const std::vector<pid_t>& seeds) const {
  std::vector<pid_t> members;
  std::unordered_set<pid_t> seen;
  std::vector<pid_t> ahead(seeds);
  while (!ahead.empty()) {
    const pid_t pid = ahead.back();
    ahead.pop_back();
    if (!seen.insert(pid).second) continue;
    const auto* stat = find(pid);
    if (stat != nullptr && !stat->is_dead()) members.push_back(pid);
    const auto [first, last] = children_.equal_range(pid);
    for (auto child = first; child != last; ++child) ahead.push_back(child->second);
  }
  return members;
}

const std::multimap<AttemptKey, pid_t>& ProcessTable::attempts() {
  if (attempts_) return *attempts_;
  attempts_.emplace();
  const pid_t self = ::getpid();
  for (const auto& [pid, stat] : processes_) {
    if (stat.is_dead() || pid == self) continue;
    const auto key = read_attempt(pid);
    if (key) attempts_->emplace(*key, pid);
  }
  return *attempts_;
}

}  // namespace hakuriver::keeper
