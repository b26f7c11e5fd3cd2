#include "keeper/agent_link.hpp"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "keeper/clocks.hpp"
#include "keeper/log.hpp"

namespace hakuriver::keeper {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMaxGuests = 16;
constexpr auto kHelloWithin = 10s;
constexpr std::size_t kUnsentAllowed = std::size_t{8} << 20;
constexpr std::size_t kReadPerTurn = std::size_t{256} << 10;
constexpr std::size_t kCommandsWaiting = 1024;  // beyond, the agent's socket fills up until they are done

bool is_own_user(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == ::geteuid();
}

Error bad_frame(const char* what) { return Error{Errc::parse, std::string("a frame that is no ") + what}; }

}  // namespace

AgentLink::AgentLink(Descriptor listener, int epoll, Ledger& ledger)
    : listener_(std::move(listener)), epoll_(epoll), ledger_(ledger) {
  watch(listener_.get(), false, EPOLL_CTL_ADD);
}

void AgentLink::watch(int descriptor, bool writable, int operation) {
  epoll_event event{};
  event.events = writable ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.u64 = kPeerTag | static_cast<std::uint64_t>(descriptor);
  ::epoll_ctl(epoll_, operation, descriptor, &event);
}

void AgentLink::accept_waiting() {
  while (true) {
    Descriptor socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) return;
    if (!is_own_user(socket.get())) {
      log_line("a connection of another user was refused");
      continue;
    }
    if (guests_.size() >= kMaxGuests) continue;
    const int number = socket.get();
    watch(number, false, EPOLL_CTL_ADD);
    guests_.emplace(number, Guest{FrameStream(std::move(socket)), monotonic_now() + kHelloWithin});
  }
}

void AgentLink::on_ready(int descriptor, bool readable) {
  if (descriptor == listener_.get()) return accept_waiting();
  const auto guest = guests_.find(descriptor);
  if (guest != guests_.end()) return greet(descriptor, guest->second);
  if (!agent_ || agent_->descriptor() != descriptor) return;
  if (readable) read_agent();
  if (agent_) flush_agent();
}

void AgentLink::refuse(FrameStream& stream, const Error& error) {
  stream.send(FrameType::refused, encode_refused(error));
  // Whoever does not read it has gone anyway.
  static_cast<void>(stream.flush().has_value());
}

void AgentLink::greet(int descriptor, Guest& guest) {
  const auto received = guest.stream.receive(kReadPerTurn);
  const auto frame = guest.stream.next();
  if (received && frame && !*frame) return;  // not whole yet
  Status taken = Error{Errc::parse, "closed before a whole hello"};
  if (frame && *frame) {
    taken = take_over(guest.stream, **frame);
  } else if (!frame) {
    taken = frame.error();
  }
  if (!taken) refuse(guest.stream, taken.error());
  guests_.erase(descriptor);
  if (taken) read_agent();  // what came with the hello
  if (agent_) flush_agent();
}

Status AgentLink::take_over(FrameStream& stream, const Frame& frame) {
  const auto hello = frame.type == FrameType::hello ? decode_hello(frame.body) : std::nullopt;
  if (!hello) return bad_frame("hello");
  if (hello->lowest_version > kProtocolVersion || hello->highest_version < 1) {
    return Error{Errc::invalid_argument, "protocol versions " + std::to_string(hello->lowest_version) + " to " +
                                             std::to_string(hello->highest_version) + ": expected one of 1 to " +
                                             std::to_string(kProtocolVersion) + " among them"};
  }
  const auto run = ledger_.begin_run(hello->cluster_id, hello->epoch);
  if (!run) return run.error();
  if (agent_) refuse(*agent_, Error{Errc::conflict, "another agent took the keeper over"});
  commands_.clear();
  agent_ = std::move(stream);
  agent_writable_watched_ = false;
  agent_->send(FrameType::listing,
               encode_listing(ledger_.listing(), std::min(hello->highest_version, kProtocolVersion)));
  for (const auto& attempt : ledger_.attempts()) agent_->send(FrameType::listed, encode_attempt(attempt));
  agent_->send(FrameType::listing_end, {});
  allowance_ = agent_->unsent() + kUnsentAllowed;
  return Unit{};
}

void AgentLink::read_agent() {
  if (commands_.size() > kCommandsWaiting) return;
  const auto received = agent_->receive(kReadPerTurn);
  while (true) {
    const auto frame = agent_->next();
    if (frame && !*frame) break;
    const Status done = frame ? obey(**frame) : Status(frame.error());
    if (done) continue;
    log_line("the agent was cut off: " + done.error().message);
    refuse(*agent_, done.error());
    return agent_.reset();
  }
  if (!received) agent_.reset();
}

Status AgentLink::obey(const Frame& frame) {
  switch (frame.type) {
    case FrameType::start: {
      auto request = decode_start(frame.body);
      if (!request) return bad_frame("start");
      const auto checked = check_start(*request);
      if (!checked) return checked;
      commands_.emplace_back(std::move(*request));
      return Unit{};
    }
    case FrameType::signal: {
      const auto order = decode_signal(frame.body);
      if (!order) return bad_frame("signal");
      commands_.emplace_back(*order);
      return Unit{};
    }
    case FrameType::confirm: {
      const auto record = decode_confirm(frame.body);
      if (!record) return bad_frame("confirm");
      commands_.emplace_back(ConfirmOrder{*record});
      return Unit{};
    }
    default:
      break;
  }
  return Error{Errc::parse, "a frame of type " + std::to_string(static_cast<unsigned>(frame.type)) +
                                ": expected start, signal or confirm"};
}

void AgentLink::tell(const std::vector<AttemptEvent>& events) {
  if (!agent_ || events.empty()) return;
  for (const auto& event : events) agent_->send(event.type, encode_attempt(event.attempt));
  flush_agent();
}

void AgentLink::flush_agent() {
  const auto flushed = agent_->flush();
  if (!flushed) return agent_.reset();
  if (agent_->unsent() > allowance_) {
    log_line("the agent was cut off: it does not read");
    return agent_.reset();
  }
  const bool waiting = agent_->unsent() > 0;
  if (!waiting) allowance_ = kUnsentAllowed;
  if (waiting != agent_writable_watched_) watch(agent_->descriptor(), waiting, EPOLL_CTL_MOD);
  agent_writable_watched_ = waiting;
}

std::optional<MonotonicTime> AgentLink::drop_silent(MonotonicTime now) {
  std::erase_if(guests_, [now](const auto& guest) { return guest.second.until <= now; });
  std::optional<MonotonicTime> next;
  for (const auto& [descriptor, guest] : guests_) {
    if (!next || guest.until < *next) next = guest.until;
  }
  return next;
}

}  // namespace hakuriver::keeper
