// One client's connection: a state machine that whoever has its mutex may drive.
//
//   reading -> handling -> sending -> reading ...        a reply
//   reading -> handling -> streaming -> sending -> ...   a stream, which ends
//   any -> lingering -> closed                           an answer after which no more is read
//
// The workers drive it by events; a responder's owner, on any thread, by reply(), write() and close(). Nothing is
// called back under the mutex.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "hakuriver/http.hpp"
#include "http/descriptor.hpp"
#include "http/hub.hpp"
#include "http/reply_text.hpp"
#include "http/request_reader.hpp"

namespace hakuriver::http {

// One request and its reply, counted within its connection.
using ExchangeNumber = std::uint64_t;

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  // The hub is used only while the connection is open. A refused connection is told 503, whatever it asks.
  Connection(Hub& hub, EventKey key, Descriptor socket, std::string remote_address, bool is_refused);
  ~Connection();

  // By workers, with the events of epoll.
  void on_event(std::uint32_t events);
  // Ends it where it is overdue; returns its next deadline, or kNever.
  TimePoint end_if_overdue(TimePoint now);
  TimePoint first_deadline();
  // The server stops: what is under way is brought to its end, the rest closed.
  void wind_up();
  // Closes at once.
  void abandon();

  // By responders and streams. Those of an earlier exchange do nothing and are told false.
  void reply(ExchangeNumber exchange, const HttpReply& reply);
  bool start_stream(ExchangeNumber exchange, const HttpReply& head, std::function<void()> gone);
  bool write(ExchangeNumber exchange, std::string_view bytes);
  bool has_room(ExchangeNumber exchange) const;
  void close_stream(ExchangeNumber exchange);
  bool is_waiting(ExchangeNumber exchange) const;

 private:
  enum class Phase { reading, handling, sending, streaming, lingering, closed };
  enum class Wait { none, request, head, body };  // what the deadline of a reading connection is for
  using Lock = std::unique_lock<std::mutex>;

  // connection.cpp
  void serve(Lock& lock);
  bool read_request();
  bool receive();
  void handle(Lock& lock);
  void dispatch(RawRequest request, ExchangeNumber exchange);
  void discard_input();
  void account();
  void set_read_deadline();
  void set_deadline(std::chrono::milliseconds span);
  void lose(Lock& lock);
  [[nodiscard]] std::function<void()> close_socket();

  // connection_reply.cpp
  void refuse(const Refusal& refusal);
  bool flush();
  std::optional<std::size_t> send_some();
  void drop_sent();
  void end_reply();
  void begin_lingering();
  void resume_unless_driven(ExchangeNumber exchange);
  void cut_off();
  std::size_t unsent() const noexcept { return out_.size() - sent_; }
  bool is_current(ExchangeNumber exchange, Phase phase) const noexcept {
    return exchange_ == exchange && phase_ == phase;
  }

  Hub& hub_;
  const EventKey key_;
  const std::string remote_address_;
  const bool is_refused_;

  // Guarded by mutex_.
  mutable std::mutex mutex_;
  Descriptor socket_;
  Phase phase_ = Phase::reading;
  Wait wait_ = Wait::none;
  TimePoint deadline_ = kNever;
  bool is_readable_ = true;      // the socket may hold bytes that no event will report again
  bool is_peer_closed_ = false;  // the client will send no more
  bool watches_output_ = false;
  RequestReader reader_;
  std::size_t accounted_ = 0;  // of hub_.unfinished_bytes
  std::size_t discarded_ = 0;  // bytes read while lingering
  ExchangeNumber exchange_ = 0;
  ExchangeNumber driven_ = 0;  // the exchange whose handler a worker is in; that worker goes on by itself
  ReplyForm form_;
  std::string out_;
  std::size_t sent_ = 0;  // of out_
  std::function<void()> gone_;
};

// The responder that a handler gets.
std::shared_ptr<HttpResponder> make_responder(std::shared_ptr<Connection> connection, ExchangeNumber exchange);

}  // namespace hakuriver::http
