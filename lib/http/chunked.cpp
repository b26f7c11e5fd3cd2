#include "http/chunked.hpp"

#include <algorithm>
#include <charconv>

namespace hakuriver::http {
namespace {

constexpr std::size_t kMaxLine = 256;
constexpr std::size_t kMaxTrailers = 8192;

}  // namespace

std::size_t ChunkedBody::take(std::string_view input, std::string& body, std::size_t max_body) {
  std::size_t taken = 0;
  while (taken < input.size() && stage_ != Stage::complete && refusal_.status == 0) {
    if (stage_ == Stage::data) {
      const auto size = std::min(left_, input.size() - taken);
      body.append(input.substr(taken, size));
      taken += size;
      left_ -= size;
      if (left_ == 0) stage_ = Stage::data_end;
    } else if (take_line_byte(input[taken++])) {
      end_line(body.size(), max_body);
    }
  }
  return taken;
}

// True when `line_` holds a whole line, without its end.
bool ChunkedBody::take_line_byte(char byte) {
  if (byte == '\n') {
    if (line_.empty() || line_.back() != '\r') refuse(400, "a line of the chunked body does not end with CR LF");
    if (refusal_.status == 0) line_.pop_back();
    return refusal_.status == 0;
  }
  if (!line_.empty() && line_.back() == '\r') refuse(400, "a chunked body holds a bare CR");
  if (line_.size() == kMaxLine) refuse(400, "a line of the chunked body is too long");
  line_.push_back(byte);
  return false;
}

void ChunkedBody::end_line(std::size_t body_size, std::size_t max_body) {
  switch (stage_) {
    case Stage::size:
      read_size(body_size, max_body);
      break;
    case Stage::data_end:
      if (!line_.empty()) refuse(400, "a chunk is longer than its size says");
      stage_ = Stage::size;
      break;
    case Stage::trailer:
      trailer_bytes_ += line_.size() + 2;
      if (trailer_bytes_ > kMaxTrailers) refuse(431, "the trailers are too long");
      if (line_.empty()) stage_ = Stage::complete;
      break;
    case Stage::data:
    case Stage::complete:
      break;
  }
  line_.clear();
}

void ChunkedBody::read_size(std::size_t body_size, std::size_t max_body) {
  const auto digits = trim_blanks(std::string_view(line_).substr(0, line_.find(';')));
  const auto* end = digits.data() + digits.size();
  std::size_t size = 0;
  const auto parsed = std::from_chars(digits.data(), end, size, 16);
  const bool overflows = parsed.ec == std::errc::result_out_of_range;
  if (digits.empty() || parsed.ptr != end || (parsed.ec != std::errc() && !overflows)) {
    return refuse(400, "a chunk's size is not a hexadecimal number");
  }
  if (overflows || size > max_body - std::min(body_size, max_body)) return refuse(413, "the body is too large");
  left_ = size;
  stage_ = size == 0 ? Stage::trailer : Stage::data;
}

}  // namespace hakuriver::http
