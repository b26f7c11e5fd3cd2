// Frames over one non-blocking socket: what came and is not yet taken, what is to go and has not gone.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "keeper/descriptor.hpp"
#include "keeper/protocol.hpp"

namespace hakuriver::keeper {

class FrameStream {
 public:
  FrameStream() = default;
  explicit FrameStream(Descriptor socket) : socket_(std::move(socket)) {}

  int descriptor() const { return socket_.get(); }
  bool is_open() const { return static_cast<bool>(socket_); }
  void close() { socket_.close(); }

  // Takes what the socket has, at most about `limit` bytes, without waiting. unavailable: the peer is gone; what came
  // before can still be taken.
  Status receive(std::size_t limit);

  // The next whole frame; nothing until more is received. Its body is valid until the next call of a member.
  Result<std::optional<Frame>> next();

  void send(FrameType type, std::string_view body) { append_frame(outgoing_, type, body); }
  std::size_t unsent() const { return outgoing_.size() - sent_; }

  // Gives the socket as much as it takes, without waiting. unavailable: the peer is gone.
  Status flush();

 private:
  Descriptor socket_;
  std::string incoming_;
  std::size_t taken_ = 0;
  std::string outgoing_;
  std::size_t sent_ = 0;
};

}  // namespace hakuriver::keeper
