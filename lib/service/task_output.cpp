#include "service/task_output.hpp"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace hakuriver::service {

namespace {

class OpenFile {
 public:
  explicit OpenFile(const std::string& path)
      : file_(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)) {}
  ~OpenFile() {
    if (file_ >= 0) ::close(file_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  int get() const noexcept { return file_; }

 private:
  int file_;
};

// The size of an open regular file.
Result<std::uint64_t> size_of(const OpenFile& file, const std::string& path) {
  struct stat status {};
  if (file.get() < 0 || ::fstat(file.get(), &status) != 0) {
    const Errc code = errno == ENOENT ? Errc::not_found : Errc::io;
    return Error{code, "'" + path + "': " + ::strerror(errno)};
  }
  if (!S_ISREG(status.st_mode)) return Error{Errc::not_found, "'" + path + "' is not a regular file"};
  return static_cast<std::uint64_t>(status.st_size);
}

// False on an I/O error. `bytes` is cut to what was there.
bool read_at(const OpenFile& file, std::uint64_t offset, std::string& bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got =
        ::pread(file.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return false;
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  bytes.resize(done);
  return true;
}

}  // namespace

Result<OutputRange> read_output(const std::string& path, std::uint64_t offset, std::uint64_t limit) {
  const OpenFile file(path);
  const auto size = size_of(file, path);
  if (!size) return size.error();
  OutputRange range{{}, *size};
  if (offset >= *size) return range;
  range.bytes.resize(static_cast<std::size_t>(std::min(limit, *size - offset)));
  if (!read_at(file, offset, range.bytes)) return Error{Errc::io, "'" + path + "': " + ::strerror(errno)};
  return range;
}

Result<std::uint64_t> offset_of_last_lines(const std::string& path, std::uint64_t lines) {
  constexpr std::uint64_t kBlock = 64 << 10;
  const OpenFile file(path);
  const auto size = size_of(file, path);
  if (!size) return size.error();
  if (lines == 0) return *size;
  std::uint64_t seen = 0;
  std::string block;
  for (std::uint64_t end = *size; end > 0;) {
    const std::uint64_t begin = end > kBlock ? end - kBlock : 0;
    block.resize(static_cast<std::size_t>(end - begin));
    if (!read_at(file, begin, block)) return Error{Errc::io, "'" + path + "': " + ::strerror(errno)};
    for (std::size_t i = block.size(); i-- > 0;) {
      const std::uint64_t at = begin + i;
      if (block[i] == '\n' && at + 1 != *size && ++seen == lines) return at + 1;
    }
    end = begin;
  }
  return std::uint64_t{0};
}

OutputFollower::~OutputFollower() { stop(); }

void OutputFollower::stop() noexcept {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
  steps_.clear();
}

void OutputFollower::add(Step step) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  steps_.push_back(std::move(step));
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  wake_.notify_one();
}

void OutputFollower::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (steps_.empty()) {
      wake_.wait(lock, [this] { return stopping_ || !steps_.empty(); });
      continue;
    }
    std::list<Step> present = std::move(steps_);
    steps_.clear();
    lock.unlock();
    present.remove_if([](const Step& step) { return !step(); });
    lock.lock();
    steps_.splice(steps_.end(), present);
    wake_.wait_for(lock, std::chrono::milliseconds(100), [this] { return stopping_; });
  }
}

}  // namespace hakuriver::service
