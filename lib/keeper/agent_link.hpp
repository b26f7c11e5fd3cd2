// The keeper's side of the socket: who may talk to it, who is its agent, and what that one wants.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <variant>
#include <vector>

#include "keeper/frame_stream.hpp"
#include "keeper/ledger.hpp"

namespace hakuriver::keeper {

struct ConfirmOrder {
  std::uint64_t record = 0;
};

using Command = std::variant<StartRequest, SignalOrder, ConfirmOrder>;

class AgentLink {
 public:
  // `listener` is non-blocking and listens; `epoll` outlives the link. Descriptors are watched with the event data
  // kPeerTag | descriptor.
  static constexpr std::uint64_t kPeerTag = std::uint64_t{1} << 62;
  AgentLink(Descriptor listener, int epoll, Ledger& ledger);

  void accept_waiting();
  void on_ready(int descriptor, bool readable);

  // In the order in which the agent sent them. An agent that takes over finds none of its predecessor's.
  std::deque<Command>& commands() { return commands_; }

  // Sends events to the agent, if there is one. An agent that does not read is cut off: it finds everything in the
  // listing when it comes back.
  void tell(const std::vector<AttemptEvent>& events);

  bool has_agent() const { return agent_.has_value(); }
  // Cuts off connections that have not said hello for too long; when that is due next.
  std::optional<MonotonicTime> drop_silent(MonotonicTime now);

 private:
  struct Guest {
    FrameStream stream;
    MonotonicTime until;
  };

  void watch(int descriptor, bool writable, int operation);
  void greet(int descriptor, Guest& guest);
  Status take_over(FrameStream& stream, const Frame& frame);
  void refuse(FrameStream& stream, const Error& error);
  void read_agent();
  Status obey(const Frame& frame);
  void flush_agent();

  Descriptor listener_;
  int epoll_;
  Ledger& ledger_;
  std::map<int, Guest> guests_;
  std::optional<FrameStream> agent_;
  bool agent_writable_watched_ = false;
  std::size_t allowance_ = 0;  // of bytes that the agent has not read
  std::deque<Command> commands_;
};

}  // namespace hakuriver::keeper
