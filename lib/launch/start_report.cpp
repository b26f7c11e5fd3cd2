#include "launch/start_report.hpp"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstring>
#include <string_view>

namespace hakuriver::launch {
namespace {

constexpr std::size_t kMaxCgroupText = 8192;

void write_all(int file, std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(file, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return;  // nobody reads: the command runs all the same
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

std::size_t read_own_cgroup(char (&text)[kMaxCgroupText]) {
  const int file = ::open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  std::size_t size = 0;
  ssize_t count = 0;
  while (size < sizeof text && (count = ::read(file, text + size, sizeof text - size)) > 0) {
    size += static_cast<std::size_t>(count);
  }
  ::close(file);
  return size;
}

}  // namespace

void StartReport::take(int descriptor) {
  close();
  descriptor_ = descriptor;
  ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
}

Status StartReport::open(const std::string& path) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (file < 0) return Error{Errc::io, "'" + path + "': " + std::strerror(errno)};
  ::fcntl(file, F_SETFL, 0);
  take(file);
  return Unit{};
}

void StartReport::tell_cgroup() {
  if (descriptor_ < 0) return;
  char text[kMaxCgroupText];
  const std::size_t size = read_own_cgroup(text);
  // Not a word would mean that nothing was executed.
  write_all(descriptor_, size == 0 ? std::string_view("\n") : std::string_view(text, size));
}

void StartReport::tell_failure(const ExecFailure& failure) {
  if (descriptor_ < 0) {
    write_all(2, "hakuriver-exec: " + failure.message + "\n");
    return;
  }
  const std::string head(1, '\0');
  write_all(descriptor_, head + std::to_string(failure.error) + " " + failure.message + "\n");
}

void StartReport::close() {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

int exit_code_of(const ExecFailure& failure) noexcept {
  if (failure.error == ENOENT) return 127;
  return failure.error == EACCES ? 126 : 125;
}

}  // namespace hakuriver::launch
