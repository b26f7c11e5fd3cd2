// A body in chunks, taken apart as it arrives (RFC 9112, section 7.1).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "http/head.hpp"

namespace hakuriver::http {

// Keeps only what it needs between two calls; the body goes to the caller's string. Extensions and trailers are
// bounded and thrown away.
class ChunkedBody {
 public:
  // Takes bytes from the front of `input`, appends data to `body`, and returns how many were taken: all of them,
  // unless the body has ended or is refused.
  std::size_t take(std::string_view input, std::string& body, std::size_t max_body);

  bool is_complete() const noexcept { return stage_ == Stage::complete; }
  const Refusal& refusal() const noexcept { return refusal_; }

 private:
  enum class Stage { size, data, data_end, trailer, complete };

  bool take_line_byte(char byte);
  void end_line(std::size_t body_size, std::size_t max_body);
  void read_size(std::size_t body_size, std::size_t max_body);
  void refuse(int status, std::string_view detail) { refusal_ = {status, std::string(detail)}; }

  Stage stage_ = Stage::size;
  std::string line_;               // a size line, the end of data, or a trailer, so far
  std::size_t trailer_bytes_ = 0;  // of all trailers
  std::size_t left_ = 0;           // bytes of this chunk still to come
  Refusal refusal_;
};

}  // namespace hakuriver::http
