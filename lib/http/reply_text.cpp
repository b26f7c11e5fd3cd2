#include "http/reply_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace hakuriver::http {
namespace {

constexpr std::array<std::pair<int, std::string_view>, 40> kReasons{{
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {207, "Multi-Status"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {425, "Too Early"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
}};

std::string_view reason_of(int status) noexcept {
  const auto found =
      std::find_if(kReasons.begin(), kReasons.end(), [status](const auto& row) { return row.first == status; });
  return found == kReasons.end() ? "Status" : found->second;
}

bool is_line(std::string_view text) noexcept {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; });
}

void append_number(std::string& out, std::size_t number, int base = 10) {
  std::array<char, 24> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, base).ptr;
  out.append(digits.data(), end);
}

void append_header(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

void append_head(std::string& out, const HttpReply& reply, const ReplyForm& form) {
  out.append("HTTP/1.1 ");
  append_number(out, static_cast<std::size_t>(reply.status));
  out.append(" ").append(reason_of(reply.status)).append("\r\n");
  if (!reply.content_type.empty()) append_header(out, "Content-Type", reply.content_type);
  for (const auto& [name, value] : reply.headers) append_header(out, name, value);
  if (!form.keep_alive) {
    append_header(out, "Connection", "close");
  } else if (form.is_http10) {
    append_header(out, "Connection", "keep-alive");
  }
}

void append_escaped(std::string& out, char c) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  if (c == '"' || c == '\\') {
    out += {'\\', c};
  } else if (byte < 0x20 || byte >= 0x7f) {
    // A byte that is not ASCII may be half a character; its number keeps the text valid JSON.
    out.append("\\u00");
    out += {kDigits[byte >> 4], kDigits[byte & 15]};
  } else {
    out.push_back(c);
  }
}

}  // namespace

HttpReply detail_reply(int status, std::string_view detail) {
  HttpReply reply{.status = status, .body = "{\"detail\":\""};
  for (const char c : detail) append_escaped(reply.body, c);
  reply.body.append("\"}");
  return reply;
}

bool is_sendable(const HttpReply& reply) noexcept {
  const auto is_whole = [](const auto& header) {
    return !header.first.empty() && header.first.find(':') == std::string::npos && is_line(header.first) &&
           is_line(header.second);
  };
  return reply.status >= 200 && reply.status <= 599 && is_line(reply.content_type) &&
         std::all_of(reply.headers.begin(), reply.headers.end(), is_whole);
}

void append_reply(std::string& out, const HttpReply& reply, const ReplyForm& form) {
  const bool is_bodiless = reply.status == 204 || reply.status == 304;
  out.reserve(out.size() + 192 + reply.body.size());
  append_head(out, reply, form);
  if (!is_bodiless) {
    out.append("Content-Length: ");
    append_number(out, reply.body.size());
    out.append("\r\n");
  }
  out.append("\r\n");
  if (!is_bodiless && !form.head_only) out.append(reply.body);
}

void append_stream_head(std::string& out, const HttpReply& reply, const ReplyForm& form) {
  append_head(out, reply, form);
  if (!form.is_http10) append_header(out, "Transfer-Encoding", "chunked");
  out.append("\r\n");
}

void append_chunk(std::string& out, std::string_view bytes) {
  append_number(out, bytes.size(), 16);
  out.append("\r\n").append(bytes).append("\r\n");
}

}  // namespace hakuriver::http
