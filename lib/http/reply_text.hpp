// Replies as they travel (RFC 9112).
#pragma once

#include <string>
#include <string_view>

#include "hakuriver/http.hpp"

namespace hakuriver::http {

// What the request decides about the form of its reply.
struct ReplyForm {
  bool keep_alive = true;
  bool head_only = false;
  bool is_http10 = false;
};

// A reply whose body is {"detail": "..."}.
HttpReply detail_reply(int status, std::string_view detail);

// False where a status or header could not be sent without changing what the reader understands, such as a line end
// within a header.
bool is_sendable(const HttpReply& reply) noexcept;

// The whole reply, head and body.
void append_reply(std::string& out, const HttpReply& reply, const ReplyForm& form);
// The head of a reply that goes on. HTTP/1.0 knows no chunks: there the end of the connection ends the body.
void append_stream_head(std::string& out, const HttpReply& reply, const ReplyForm& form);
void append_chunk(std::string& out, std::string_view bytes);
constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace hakuriver::http
