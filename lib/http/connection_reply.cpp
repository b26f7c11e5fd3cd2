// The half of a connection that answers: replies and streams, from any thread.
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <optional>
#include <utility>

#include "http/connection.hpp"

namespace hakuriver::http {
namespace {

// How long a client that was refused may take to read why.
constexpr std::chrono::milliseconds kLinger{2'000};
// A buffer that grew beyond this for one large reply is given back.
constexpr std::size_t kKeptBuffer = 16 << 10;

class Stream final : public HttpStream {
 public:
  Stream(std::shared_ptr<Connection> connection, ExchangeNumber exchange)
      : connection_(std::move(connection)), exchange_(exchange) {}
  ~Stream() override { connection_->close_stream(exchange_); }

  bool write(std::string_view bytes) override { return connection_->write(exchange_, bytes); }
  bool has_room() const override { return connection_->has_room(exchange_); }
  void close() override { connection_->close_stream(exchange_); }

 private:
  const std::shared_ptr<Connection> connection_;
  const ExchangeNumber exchange_;
};

class Responder final : public HttpResponder {
 public:
  Responder(std::shared_ptr<Connection> connection, ExchangeNumber exchange)
      : connection_(std::move(connection)), exchange_(exchange) {}
  ~Responder() override {
    if (!is_answered_) connection_->reply(exchange_, detail_reply(500, "internal error"));
  }

  void reply(HttpReply reply) override {
    if (!is_answered_.exchange(true)) connection_->reply(exchange_, reply);
  }

  std::shared_ptr<HttpStream> stream(HttpReply head, std::function<void()> gone) override {
    // A stream of number 0 belongs to no exchange: nobody reads it.
    const bool is_first = !is_answered_.exchange(true);
    const bool is_open = is_first && connection_->start_stream(exchange_, head, std::move(gone));
    return std::make_shared<Stream>(connection_, is_open ? exchange_ : 0);
  }

  bool is_waiting() const override { return !is_answered_ && connection_->is_waiting(exchange_); }

 private:
  const std::shared_ptr<Connection> connection_;
  const ExchangeNumber exchange_;
  std::atomic<bool> is_answered_{false};
};

}  // namespace

std::shared_ptr<HttpResponder> make_responder(std::shared_ptr<Connection> connection, ExchangeNumber exchange) {
  return std::make_shared<Responder>(std::move(connection), exchange);
}

void Connection::reply(ExchangeNumber exchange, const HttpReply& reply) {
  const bool is_good = is_sendable(reply);
  const std::lock_guard lock(mutex_);
  if (!is_current(exchange, Phase::handling)) return;
  append_reply(out_, is_good ? reply : detail_reply(500, "internal error"), form_);
  phase_ = Phase::sending;
  if (!flush()) return cut_off();
  resume_unless_driven(exchange);
}

bool Connection::start_stream(ExchangeNumber exchange, const HttpReply& head, std::function<void()> gone) {
  if (!is_sendable(head)) {
    reply(exchange, detail_reply(500, "internal error"));
    return false;
  }
  const std::lock_guard lock(mutex_);
  if (!is_current(exchange, Phase::handling)) return false;
  if (form_.is_http10) form_.keep_alive = false;
  append_stream_head(out_, head, form_);
  phase_ = form_.head_only ? Phase::sending : Phase::streaming;
  if (!form_.head_only) {
    gone_ = std::move(gone);
    if (form_.is_http10) {
      out_ += head.body;
    } else if (!head.body.empty()) {
      append_chunk(out_, head.body);
    }
  }
  if (!flush()) cut_off();
  resume_unless_driven(exchange);
  return phase_ == Phase::streaming;
}

bool Connection::write(ExchangeNumber exchange, std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  if (!is_current(exchange, Phase::streaming) || is_peer_closed_) return false;
  if (bytes.empty()) return true;  // an empty chunk would end the stream
  if (unsent() >= hub_.options.max_unsent) {
    cut_off();
    return false;
  }
  if (form_.is_http10) {
    out_ += bytes;
  } else {
    append_chunk(out_, bytes);
  }
  if (flush()) return true;
  cut_off();
  return false;
}

bool Connection::has_room(ExchangeNumber exchange) const {
  const std::lock_guard lock(mutex_);
  return is_current(exchange, Phase::streaming) && !is_peer_closed_ && unsent() < hub_.options.max_unsent;
}

void Connection::close_stream(ExchangeNumber exchange) {
  std::function<void()> gone;  // destroyed after the mutex is free: it may own this very stream
  const std::lock_guard lock(mutex_);
  if (!is_current(exchange, Phase::streaming)) return;
  gone = std::exchange(gone_, nullptr);
  if (!form_.is_http10) out_ += kLastChunk;
  phase_ = Phase::sending;
  if (!flush()) return cut_off();
  resume_unless_driven(exchange);
}

bool Connection::is_waiting(ExchangeNumber exchange) const {
  const std::lock_guard lock(mutex_);
  return is_current(exchange, Phase::handling) && !is_peer_closed_;
}

// Answers in the handler's place, and reads no more requests: what follows may be the rest of a body.
void Connection::refuse(const Refusal& refusal) {
  auto reply = detail_reply(refusal.status, refusal.detail);
  if (refusal.status == 503) reply.headers.emplace_back("Retry-After", "1");
  form_.keep_alive = false;
  append_reply(out_, reply, form_);
  reader_.clear();
  account();
  phase_ = Phase::sending;
  deadline_ = kNever;
  if (!flush()) cut_off();
}

// False: the peer is gone. What cannot be sent now goes out when a worker learns that there is room.
bool Connection::flush() {
  const auto sent = send_some();
  if (!sent) return false;
  if (phase_ != Phase::sending) return true;
  if (unsent() == 0) {
    end_reply();
  } else if (*sent > 0 || deadline_ == kNever) {
    set_deadline(hub_.options.write_deadline);
  }
  return true;
}

// How many bytes went out; nothing where the peer is gone.
std::optional<std::size_t> Connection::send_some() {
  std::size_t total = 0;
  while (unsent() > 0) {
    const auto size = ::send(socket_.get(), out_.data() + sent_, unsent(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size >= 0) {
      sent_ += static_cast<std::size_t>(size);
      total += static_cast<std::size_t>(size);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (!std::exchange(watches_output_, true)) hub_.kick(socket_.get(), key_);
      break;
    } else if (errno != EINTR) {
      return std::nullopt;
    }
  }
  drop_sent();
  return total;
}

void Connection::drop_sent() {
  if (unsent() == 0 && out_.capacity() > kKeptBuffer) std::string().swap(out_);
  // Moving the rest to the front only when it is the smaller half keeps the cost of a long buffer linear.
  if (sent_ < out_.size() / 2) return;
  out_.erase(0, sent_);
  sent_ = 0;
}

void Connection::end_reply() {
  wait_ = Wait::none;
  if (form_.keep_alive) {
    phase_ = Phase::reading;
    set_read_deadline();
  } else if (hub_.is_stopping && !is_readable_ && reader_.is_idle()) {
    static_cast<void>(close_socket());  // a stream's owner was told when the stream ended
  } else {
    begin_lingering();
  }
}

// Closing with bytes unread would make the kernel throw away the answer that the client has not read yet
// (RFC 9112, section 9.6); so the client closes first, or the deadline does.
void Connection::begin_lingering() {
  phase_ = Phase::lingering;
  ::shutdown(socket_.get(), SHUT_WR);
  set_deadline(kLinger);
}

// A request may have come meanwhile. Only workers run handlers, so one is sent for, unless it is there already.
void Connection::resume_unless_driven(ExchangeNumber exchange) {
  const bool is_free = phase_ == Phase::reading || phase_ == Phase::lingering;
  if (is_free && driven_ != exchange && (is_readable_ || !reader_.is_idle())) hub_.kick(socket_.get(), key_);
}

// Ends it from any thread: the event that this makes has a worker close it and tell its owner.
void Connection::cut_off() {
  const linger reset{1, 0};  // nothing unsent is kept for a reader that does not read
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  is_peer_closed_ = true;
  ::shutdown(socket_.get(), SHUT_RDWR);
}

}  // namespace hakuriver::http
