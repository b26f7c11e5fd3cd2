#include "http/request_reader.hpp"

#include <algorithm>
#include <utility>

namespace hakuriver::http {

void RequestReader::append(std::string_view bytes) { input_.append(bytes); }

RequestReader::Progress RequestReader::advance() {
  if (stage_ == Stage::head) find_head();
  if (stage_ == Stage::body) take_body();
  switch (stage_) {
    case Stage::complete:
      return Progress::complete;
    case Stage::refused:
      return Progress::refused;
    case Stage::head:
    case Stage::body:
      break;
  }
  return Progress::need_more;
}

RawRequest RequestReader::take() {
  stage_ = Stage::head;
  searched_ = 0;
  return std::exchange(request_, {});
}

bool RequestReader::take_continue() noexcept {
  return stage_ == Stage::body && std::exchange(request_.facts.expects_continue, false);
}

void RequestReader::clear() {
  stage_ = Stage::head;
  searched_ = 0;
  chunks_ = {};
  request_ = {};
  std::string().swap(input_);
}

void RequestReader::find_head() {
  // RFC 9112, section 2.2: empty lines before a request are passed over.
  while (searched_ == 0 && input_.compare(0, 2, "\r\n") == 0) input_.erase(0, 2);
  const auto end = input_.find("\r\n\r\n", searched_);
  if (end != std::string::npos && end + 4 <= max_head_) return begin_body(end + 4);
  if (input_.size() > max_head_) {
    const bool is_target = input_.find("\r\n") >= max_head_;
    return refuse(is_target ? 414 : 431, is_target ? "the request line is too long" : "the headers are too long");
  }
  searched_ = input_.size() < 3 ? 0 : input_.size() - 3;
}

void RequestReader::begin_body(std::size_t head_size) {
  if (head_size == input_.size()) {
    request_.head = std::exchange(input_, {});
  } else {
    request_.head = input_.substr(0, head_size);
    input_.erase(0, head_size);
  }
  request_.facts = scan_head(request_.head, limits_);
  chunks_ = {};
  stage_ = refusal().status != 0 ? Stage::refused : Stage::body;
}

void RequestReader::take_body() {
  auto& body = request_.body;
  std::size_t taken = 0;
  if (request_.facts.is_chunked) {
    taken = chunks_.take(input_, body, limits_.body);
    if (chunks_.refusal().status != 0) return refuse(chunks_.refusal().status, chunks_.refusal().detail);
    if (chunks_.is_complete()) stage_ = Stage::complete;
  } else {
    taken = std::min(input_.size(), request_.facts.content_length - body.size());
    body.append(input_, 0, taken);
    if (body.size() == request_.facts.content_length) stage_ = Stage::complete;
  }
  if (taken == input_.size()) {
    std::string().swap(input_);
  } else {
    input_.erase(0, taken);
  }
}

void RequestReader::refuse(int status, std::string_view detail) {
  request_.facts.refusal = {status, std::string(detail)};
  stage_ = Stage::refused;
}

}  // namespace hakuriver::http
