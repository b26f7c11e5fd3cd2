#include "http/connection.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <exception>
#include <utility>

namespace hakuriver::http {
namespace {

// Requests of one connection in a row before others have their turn.
constexpr unsigned kBurst = 64;
// A client may still be sending a body that was refused; this much is read away so that it can see the answer.
constexpr std::size_t kMaxDiscarded = 64 << 20;
// Smaller requests are not worth the shared counter.
constexpr std::size_t kAccountedFrom = 16 << 10;

}  // namespace

Connection::Connection(Hub& hub, EventKey key, Descriptor socket, std::string remote_address, bool is_refused)
    : hub_(hub),
      key_(key),
      remote_address_(std::move(remote_address)),
      is_refused_(is_refused),
      socket_(std::move(socket)),
      reader_(hub.options.max_head, {hub.options.max_path, hub.options.max_headers, hub.options.max_body}) {
  set_read_deadline();
}

Connection::~Connection() = default;

void Connection::on_event(std::uint32_t events) {
  Lock lock(mutex_);
  if (phase_ == Phase::closed) return;
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) return lose(lock);
  if ((events & EPOLLRDHUP) != 0) is_peer_closed_ = true;
  if ((events & (EPOLLIN | EPOLLRDHUP)) != 0) is_readable_ = true;
  if (unsent() > 0 && !flush()) return lose(lock);
  serve(lock);
}

// Goes on until the connection waits for something: bytes, a responder, or room to send.
void Connection::serve(Lock& lock) {
  unsigned burst = 0;
  while (phase_ == Phase::reading && burst < kBurst) {
    if (!read_request()) return lose(lock);
    if (phase_ != Phase::handling) break;
    handle(lock);
    ++burst;
  }
  switch (phase_) {
    case Phase::reading:
      if (burst == kBurst) hub_.kick(socket_.get(), key_);
      break;
    case Phase::lingering:
      discard_input();
      if (is_peer_closed_) lose(lock);
      break;
    case Phase::handling:
    case Phase::streaming:
      if (is_peer_closed_) lose(lock);
      break;
    case Phase::sending:
    case Phase::closed:
      break;
  }
}

// Reads until a request is whole (the phase becomes handling), is refused, or more must come. False: the peer is gone.
bool Connection::read_request() {
  for (;;) {
    switch (reader_.advance()) {
      case RequestReader::Progress::complete:
        phase_ = Phase::handling;
        return true;
      case RequestReader::Progress::refused:
        refuse(reader_.refusal());
        return true;
      case RequestReader::Progress::need_more:
        break;
    }
    account();
    if (accounted_ > 0 && hub_.unfinished_bytes > hub_.options.max_unfinished_bytes) {
      refuse({503, "too many bytes of unfinished requests"});
      return true;
    }
    if (reader_.take_continue()) {
      out_ += "HTTP/1.1 100 Continue\r\n\r\n";
      if (!send_some()) return false;
    }
    if (!is_readable_) {
      set_read_deadline();
      return true;
    }
    if (!receive()) return false;
  }
}

// One receive into the reader. False: the peer is gone, and nothing of its last request is whole.
bool Connection::receive() {
  std::array<char, 16 << 10> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by recv
  const auto size = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (size > 0) {
    reader_.append({buffer.data(), static_cast<std::size_t>(size)});
    // A short read empties the socket, and what comes later makes a new event; only an end must be read for.
    is_readable_ = is_peer_closed_ || static_cast<std::size_t>(size) == buffer.size();
    return true;
  }
  if (size < 0 && errno == EINTR) return true;
  is_readable_ = false;
  return size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

void Connection::handle(Lock& lock) {
  auto request = reader_.take();
  account();
  form_ = {request.facts.keep_alive && !hub_.is_stopping, request.facts.head_only, request.facts.is_http10};
  deadline_ = kNever;
  wait_ = Wait::none;
  const auto exchange = ++exchange_;
  if (is_refused_) return refuse({503, "too many connections"});
  if (hub_.is_stopping) return refuse({503, "the host is stopping"});
  driven_ = exchange;
  lock.unlock();
  dispatch(std::move(request), exchange);
  lock.lock();
  if (driven_ == exchange) driven_ = 0;
}

void Connection::dispatch(RawRequest request, ExchangeNumber exchange) {
  auto parsed = hub_.parser.parse(request.head);
  if (!parsed) {
    const std::lock_guard lock(mutex_);
    if (is_current(exchange, Phase::handling)) refuse({400, parsed.error().message});
    return;
  }
  parsed->body = std::move(request.body);
  parsed->remote_address = remote_address_;
  try {
    hub_.handler(std::move(*parsed), make_responder(shared_from_this(), exchange));
  } catch (...) {
    // The text of an exception is not for strangers, and a worker outlives a handler's defect: the responder, which
    // the exception has let go, answered 500.
  }
}

void Connection::discard_input() {
  std::array<char, 16 << 10> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by recv
  while (is_readable_) {
    const auto size = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0 && !(size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))) is_peer_closed_ = true;
    is_readable_ = size > 0;
    discarded_ += size > 0 ? static_cast<std::size_t>(size) : 0;
    if (discarded_ <= kMaxDiscarded) continue;
    is_peer_closed_ = true;
    is_readable_ = false;
  }
}

void Connection::account() {
  const auto held = phase_ == Phase::closed || reader_.held_bytes() < kAccountedFrom ? 0 : reader_.held_bytes();
  if (held == accounted_) return;
  hub_.unfinished_bytes += held - accounted_;  // unsigned: a smaller number is subtracted
  accounted_ = held;
}

void Connection::set_read_deadline() {
  const auto wait = reader_.is_idle() ? Wait::request : reader_.is_in_body() ? Wait::body : Wait::head;
  // The time for a head or a body is for the whole of it: bytes that drip do not renew it.
  if (wait == wait_ && wait != Wait::request) return;
  wait_ = wait;
  const auto& options = hub_.options;
  set_deadline(wait == Wait::request ? options.idle_deadline
               : wait == Wait::body  ? options.body_deadline
                                     : options.head_deadline);
}

void Connection::set_deadline(std::chrono::milliseconds span) {
  deadline_ = Clock::now() + span;
  hub_.want_wakeup(deadline_);
}

TimePoint Connection::first_deadline() {
  const std::lock_guard lock(mutex_);
  return deadline_;
}

TimePoint Connection::end_if_overdue(TimePoint now) {
  Lock lock(mutex_);
  if (deadline_ > now) return deadline_;
  if (phase_ == Phase::reading && wait_ != Wait::request && unsent() == 0) {
    refuse({408, wait_ == Wait::body ? "the body took too long" : "the request took too long"});
    return deadline_;
  }
  lose(lock);
  return kNever;
}

void Connection::wind_up() {
  Lock lock(mutex_);
  switch (phase_) {
    case Phase::handling:
      refuse({503, "the host is stopping"});
      break;
    case Phase::sending:
      form_.keep_alive = false;
      break;
    case Phase::streaming: {
      const auto gone = std::exchange(gone_, nullptr);
      form_.keep_alive = false;
      const auto exchange = exchange_;
      lock.unlock();
      close_stream(exchange);
      if (gone) gone();
      break;
    }
    case Phase::reading:
    case Phase::lingering:
      lose(lock);
      break;
    case Phase::closed:
      break;
  }
}

void Connection::abandon() {
  Lock lock(mutex_);
  lose(lock);
}

// Closes, and tells a stream's owner.
void Connection::lose(Lock& lock) {
  const auto gone = close_socket();
  lock.unlock();
  if (gone) gone();
}

std::function<void()> Connection::close_socket() {
  if (phase_ == Phase::closed) return nullptr;
  phase_ = Phase::closed;
  deadline_ = kNever;
  account();
  socket_.reset();
  std::string().swap(out_);
  sent_ = 0;
  hub_.forget(key_);
  return std::exchange(gone_, nullptr);
}

}  // namespace hakuriver::http
