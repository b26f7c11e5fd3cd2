#include "container/task_files.hpp"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <thread>

#include "platform/identity.hpp"

namespace hakuriver::container {
namespace {

constexpr std::size_t kMaxReport = 8192;
constexpr std::size_t kMaxEnd = 8192;
constexpr std::size_t kMaxPid = 64;
constexpr int kTries = 100;
constexpr double kCreateSeconds = 30;  // an engine that takes longer to make a container has lost it
constexpr double kEndSeconds = 3600;   // a keeper asks again when it starts again, which is sooner

Error system_error(const std::string& path) {
  return {Errc::io, "'" + path + "': " + std::generic_category().message(errno)};
}

Status touch(const std::string& path) {
  const platform::Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!file.is_open()) return system_error(path);
  return Unit{};
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

// Of a file of ours, since it was written; none where there is no such file.
std::optional<double> seconds_since(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return std::difftime(std::time(nullptr), status.st_mtime);
}

template <class Number>
bool read_number(std::string_view text, std::string_view word, std::optional<Number>& number) {
  if (!text.starts_with(word) || text.size() < word.size() + 2 || text[word.size()] != ' ') return false;
  Number value{};
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data() + word.size() + 1, end, value);
  if (read.ec != std::errc() || (read.ptr != end && *read.ptr != ' ')) return false;
  number = value;
  return true;
}

void read_line(std::string_view line, bool& is_started, TaskReport& report) {
  if (line == "starting" || line == "started") report.may_have_started = true;
  if (line == "started") is_started = true;
  read_number(line, "never_started", report.never_started);
  read_number(line, "unopened", report.unopened);
  read_number(line, "unentered", report.unentered);
  read_number(line, "exited", report.exited);
  read_number(line, "signaled", report.signaled);
  read_number(line, "cpu_microseconds", report.cpu_microseconds);
  read_number(line, "peak_bytes", report.peak_bytes);
}

}  // namespace

TaskReport parse_report(const std::string& text) {
  TaskReport report;
  bool is_started = false;
  for (std::string_view rest = text; !rest.empty();) {
    const auto end = std::min(rest.find('\n'), rest.size());
    read_line(rest.substr(0, end), is_started, report);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  // The command may write before the init can say that it has started it.
  if (is_started || report.exited || report.signaled) {
    report.may_have_started = true;
    report.never_started.reset();
    report.unopened.reset();
    report.unentered.reset();
  }
  return report;
}

Status TaskFiles::create() {
  if (const auto made = platform::create_private_directory(directory_); !made) return made;
  auto lock = platform::lock_file(directory_ + "/starter");
  for (int tries = 0; !lock && tries < kTries; ++tries) {  // whoever looks for the starter holds it for a moment
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    lock = platform::lock_file(directory_ + "/starter");
  }
  if (!lock) return lock.error();
  lock_ = std::move(*lock);
  const auto boot = platform::boot_id();
  const std::string pid = std::to_string(::getpid()) + " " + (boot ? *boot : std::string());
  if (auto written = platform::write_file_atomically(directory_ + "/pid", pid, 0600); !written) return written;
  const std::string path = report_path();
  const platform::Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.is_open() || ::fchmod(file.get(), 0666) != 0) return system_error(path);
  return Unit{};
}

Status TaskFiles::note_asked() const { return touch(directory_ + "/asked"); }
bool TaskFiles::was_asked() const { return exists(directory_ + "/asked"); }
Status TaskFiles::note_answered() const { return touch(directory_ + "/answered"); }

bool TaskFiles::may_still_come() const {
  const std::string path = directory_ + "/awaited";
  if (!was_asked() || exists(directory_ + "/answered")) return false;
  if (!exists(path)) return touch(path).has_value();
  const auto age = seconds_since(path);
  return age && *age >= 0 && *age < kCreateSeconds;
}

Status TaskFiles::note_cancelled() const { return touch(directory_ + "/cancelled"); }
bool TaskFiles::is_cancelled() const { return exists(directory_ + "/cancelled"); }

Status TaskFiles::note_failure(int error, const std::string& message) const {
  return platform::write_file_atomically(directory_ + "/failure", "refused " + std::to_string(error) + " " + message,
                                         0600);
}

TaskReport TaskFiles::report() const {
  const auto text = platform::read_file(report_path(), kMaxReport);
  TaskReport report = text ? parse_report(*text) : TaskReport{};
  if (!text && text.error().code == Errc::limit) report.may_have_started = true;  // the init does not say so much
  const auto failure = platform::read_file(directory_ + "/failure", kMaxReport);
  if (failure && read_number(*failure, "refused", report.refused)) {
    report.failure = failure->substr(failure->find(' ', std::string_view("refused ").size()) + 1);
  }
  return report;
}

// The lock ends with its process, so the number is that process's while the lock is held.
std::optional<pid_t> TaskFiles::starter() const {
  if (!exists(directory_ + "/starter")) return std::nullopt;
  if (const auto lock = platform::lock_file(directory_ + "/starter"); lock) return std::nullopt;
  const auto text = platform::read_file(directory_ + "/pid", kMaxPid);
  pid_t pid = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), pid);
  return pid > 1 ? std::optional(pid) : std::nullopt;
}

bool TaskFiles::is_there() const { return exists(directory_); }

Status TaskFiles::note_end(const std::string& lines) const {
  return platform::write_file_atomically(directory_ + "/end", lines, 0600);
}

std::optional<std::string> TaskFiles::end() const {
  auto lines = platform::read_file(directory_ + "/end", kMaxEnd);
  return lines ? std::optional(std::move(*lines)) : std::nullopt;
}

// Whatever it is: who was killed leaves half a file beside what it was to replace. That a container was asked for goes
// last, for until then it may have to be removed.
void TaskFiles::remove() const {
  std::vector<std::string> paths;
  std::error_code failed;
  for (std::filesystem::directory_iterator at(directory_, failed), last; !failed && at != last; at.increment(failed)) {
    const auto name = at->path().filename();
    if (name != "end" && name != "asked") paths.push_back(at->path().string());
  }
  for (const auto& path : paths) ::unlink(path.c_str());
  ::unlink((directory_ + "/asked").c_str());
}

void TaskFiles::remove_all() const {
  remove();
  ::unlink((directory_ + "/end").c_str());
  ::rmdir(directory_.c_str());
}

std::vector<std::string> find_lost(const std::string& parent) {
  std::vector<std::string> lost;
  const auto boot = platform::boot_id();
  std::error_code failed;
  if (!boot) return lost;
  for (std::filesystem::directory_iterator at(parent, failed), last; !failed && at != last; at.increment(failed)) {
    const auto text = platform::read_file(at->path().string() + "/pid", kMaxPid);
    const auto blank = text ? text->find(' ') : std::string::npos;
    if (blank == std::string::npos || blank + 1 == text->size() || text->substr(blank + 1) == *boot) continue;
    lost.push_back(at->path().string());
  }
  return lost;
}

void remove_ends(const std::string& parent) {
  std::error_code failed;
  for (std::filesystem::directory_iterator at(parent, failed), last; !failed && at != last; at.increment(failed)) {
    const std::string directory = at->path().string();
    const auto age = seconds_since(directory + "/end");
    if (!age || *age < kEndSeconds || exists(directory + "/asked")) continue;
    TaskFiles(directory).remove_all();
  }
}

}  // namespace hakuriver::container
