#include "keeper/frame_stream.hpp"

#include <errno.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

namespace hakuriver::keeper {

Status FrameStream::receive(std::size_t limit) {
  incoming_.erase(0, taken_);
  taken_ = 0;
  std::array<char, 64 * 1024> buffer;
  for (std::size_t received = 0; received < limit;) {
    const auto count = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count > 0) {
      incoming_.append(buffer.data(), static_cast<std::size_t>(count));
      received += static_cast<std::size_t>(count);
      if (static_cast<std::size_t>(count) < buffer.size()) break;
    } else if (count == 0) {
      return Error{Errc::unavailable, "the connection was closed"};
    } else if (errno == EAGAIN) {
      break;
    } else if (errno != EINTR) {
      return Error{Errc::unavailable, std::string("the connection broke: ") + std::strerror(errno)};
    }
  }
  return Unit{};
}

Result<std::optional<Frame>> FrameStream::next() {
  std::string_view rest = std::string_view(incoming_).substr(taken_);
  const auto before = rest.size();
  auto frame = take_frame(rest);
  taken_ += before - rest.size();
  return frame;
}

Status FrameStream::flush() {
  while (unsent() > 0) {
    const auto count = ::send(socket_.get(), outgoing_.data() + sent_, unsent(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count >= 0) {
      sent_ += static_cast<std::size_t>(count);
    } else if (errno == EAGAIN) {
      break;
    } else if (errno != EINTR) {
      return Error{Errc::unavailable, std::string("the connection broke: ") + std::strerror(errno)};
    }
  }
  if (sent_ == outgoing_.size()) {
    outgoing_.clear();
    sent_ = 0;
  } else if (sent_ > (std::size_t{1} << 20)) {
    outgoing_.erase(0, sent_);
    sent_ = 0;
  }
  return Unit{};
}

}  // namespace hakuriver::keeper
