#include "launch/spec_file.hpp"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>

namespace hakuriver::launch {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{2} << 20;

Error failure(const std::string& path) {
  const Errc code = errno == EEXIST ? Errc::conflict : Errc::io;
  return {code, "'" + path + "': " + std::strerror(errno)};
}

Error malformed(const std::string& path) { return {Errc::parse, "'" + path + "': not what a launcher writes"}; }

bool write_all(int file, std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(file, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

// "7=1024:4096 8=..."
std::string text_of(const std::vector<std::pair<int, rlimit>>& limits) {
  std::string text;
  for (const auto& [resource, limit] : limits) {
    if (!text.empty()) text += ' ';
    text += std::to_string(resource) + "=" + std::to_string(limit.rlim_cur) + ":" + std::to_string(limit.rlim_max);
  }
  return text;
}

template <class Number>
bool take_number(std::string_view& text, char end, Number& number) {
  const auto stop = text.find(end);
  const auto digits = text.substr(0, stop);
  const auto [last, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || last != digits.data() + digits.size()) return false;
  text.remove_prefix(stop == std::string_view::npos ? text.size() : stop + 1);
  return true;
}

std::optional<std::vector<std::pair<int, rlimit>>> limits_of(std::string_view text) {
  std::vector<std::pair<int, rlimit>> limits;
  while (!text.empty()) {
    int resource = 0;
    rlimit limit{};
    const bool whole = take_number(text, '=', resource) && take_number(text, ':', limit.rlim_cur) &&
                       take_number(text, ' ', limit.rlim_max);
    if (!whole) return std::nullopt;
    limits.emplace_back(resource, limit);
  }
  return limits;
}

Result<std::string> read_all(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (file < 0) return failure(path);
  std::string text;
  char buffer[16384];
  ssize_t count = 0;
  do {
    count = ::read(file, buffer, sizeof buffer);
    if (count > 0) text.append(buffer, static_cast<std::size_t>(count));
  } while ((count > 0 || (count < 0 && errno == EINTR)) && text.size() <= kMaxBytes);
  const int error = count < 0 ? errno : 0;
  ::close(file);
  ::unlink(path.c_str());
  errno = error;
  if (error != 0) return failure(path);
  if (text.size() > kMaxBytes) return malformed(path);
  return text;
}

}  // namespace

std::vector<std::pair<int, rlimit>> own_limits() {
  std::vector<std::pair<int, rlimit>> limits;
  for (int resource = 0; resource < static_cast<int>(RLIM_NLIMITS); ++resource) {
    rlimit limit{};
    if (::getrlimit(static_cast<__rlimit_resource>(resource), &limit) == 0) limits.emplace_back(resource, limit);
  }
  return limits;
}

Status write_spec_file(const std::string& path, const TaskSpecFile& spec) {
  std::string text = spec.directory + '\0' + text_of(spec.limits) + '\0';
  for (const auto& entry : spec.environment) text.append(entry).push_back('\0');
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return failure(path);
  const bool written = write_all(file, text);
  const int error = errno;
  ::close(file);
  if (written) return Unit{};
  ::unlink(path.c_str());
  errno = error;
  return failure(path);
}

Result<TaskSpecFile> read_spec_file(const std::string& path) {
  auto read = read_all(path);
  if (!read) return read.error();
  std::string_view text = *read;
  std::vector<std::string> entries;
  while (!text.empty()) {
    const auto end = text.find('\0');
    if (end == std::string_view::npos) return malformed(path);
    entries.emplace_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  if (entries.size() < 2) return malformed(path);
  auto limits = limits_of(entries[1]);
  if (!limits) return malformed(path);
  TaskSpecFile spec;
  spec.directory = std::move(entries[0]);
  spec.limits = std::move(*limits);
  spec.environment.assign(std::make_move_iterator(entries.begin() + 2), std::make_move_iterator(entries.end()));
  return spec;
}

}  // namespace hakuriver::launch
