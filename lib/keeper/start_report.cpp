#include "keeper/start_report.hpp"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "keeper/clocks.hpp"
#include "keeper/protocol.hpp"
#include "keeper/starter.hpp"

namespace hakuriver::keeper {
namespace {

constexpr std::size_t kMaxReport = 16 * 1024;

}  // namespace

Result<Descriptor> StartReport::open() {
  std::array<int, 2> ends{-1, -1};
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) return io_error("pipe", errno);
  pipe_ = Descriptor(ends[0]);
  const Descriptor narrow(ends[1]);
  // Opened for reading, too, so that there is a reader as long as it is open: a keeper that dies must not end a
  // launching program by SIGPIPE. The end of the pipe is still seen here.
  const auto path = "/proc/self/fd/" + std::to_string(narrow.get());
  Descriptor wide(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!wide) return io_error(path, errno);
  return wide;
}

StartReport::Verdict StartReport::read(bool is_over) {
  if (verdict_ != Verdict::open) return verdict_;
  std::array<char, 4096> buffer;
  while (text_.size() < kMaxReport) {
    const auto count = ::read(pipe_.get(), buffer.data(), std::min(buffer.size(), kMaxReport - text_.size()));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN && !is_over) return verdict_;
    if (count <= 0) break;
    text_.append(buffer.data(), static_cast<std::size_t>(count));
  }
  pipe_.close();
  return conclude();
}

StartReport::Verdict StartReport::conclude() {
  if (text_.empty()) return verdict_ = Verdict::silent;
  const auto nul = text_.find('\0');
  if (nul == std::string::npos) return verdict_ = Verdict::executed;
  std::string_view words = std::string_view(text_).substr(nul + 1);
  words = words.substr(0, words.find('\n'));
  int error = 0;
  const auto [end, problem] = std::from_chars(words.data(), words.data() + words.size(), error);
  words.remove_prefix(static_cast<std::size_t>(end - words.data()));
  if (words.starts_with(" ")) words.remove_prefix(1);
  if (problem != std::errc{} || error <= 0) error = EIO;
  outcome_ = outcome_of_start_error(error);
  message_ = std::string(words.substr(0, kMaxMessage));
  return verdict_ = Verdict::failed;
}

}  // namespace hakuriver::keeper
