// Assembles requests from the bytes of one connection: one at a time, bounded, without touching a socket.
//
//   reader.append(bytes);
//   while (reader.advance() == RequestReader::Progress::complete) answer(reader.take());
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "http/chunked.hpp"
#include "http/head.hpp"

namespace hakuriver::http {

// A request in full, its head still text.
struct RawRequest {
  std::string head;  // with the empty line that ends it
  std::string body;
  HeadFacts facts;
};

class RequestReader {
 public:
  enum class Progress { need_more, complete, refused };

  // `max_head` counts the request line, all headers and the empty line.
  RequestReader(std::size_t max_head, HeadLimits limits) : max_head_(max_head), limits_(limits) {}

  void append(std::string_view bytes);
  Progress advance();
  // After `complete`: hands the request over and turns to what follows it.
  RawRequest take();
  // After `refused`.
  const Refusal& refusal() const noexcept { return request_.facts.refusal; }

  // Lets go of all bytes held, for a connection that is read no more.
  void clear();

  // Nothing of a request is here.
  bool is_idle() const noexcept { return stage_ == Stage::head && input_.empty(); }
  bool is_in_body() const noexcept { return stage_ == Stage::body; }
  // True once per request, when its sender waits for "100 Continue" before it sends the body.
  bool take_continue() noexcept;
  std::size_t held_bytes() const noexcept { return input_.size() + request_.body.size(); }

 private:
  enum class Stage { head, body, complete, refused };

  void find_head();
  void begin_body(std::size_t head_size);
  void take_body();
  void refuse(int status, std::string_view detail);

  std::size_t max_head_;
  HeadLimits limits_;
  Stage stage_ = Stage::head;
  std::string input_;         // not yet understood
  std::size_t searched_ = 0;  // of input_, for the end of the head
  ChunkedBody chunks_;
  RawRequest request_;
};

}  // namespace hakuriver::http
